"""How many detections there are, by class, recording, time or place.

What lives here: scores/summary. What must not: where the times and places come from (grouping.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from rpc.cancel import CancelToken
from schemas.scores import Summary, SummaryGroup, SummaryParams
from sidecar.scores.grouping import Grouping, groups_of
from sidecar.scores.questions import Scores, all_scores, scores_of, within_class
from sidecar.scores.relations import asked, number
from sidecar.scores.session import OpenTable

_Counts = dict[str | None, tuple[int, float]]


def summary_of(table: OpenTable, params: SummaryParams, token: CancelToken) -> Summary:
    """The groups that `params` asks for; those without any score that counts are left out, but classes.

    Raises
    ------
    ScoresNotFound, RequestCancelled
    """
    position = None if params.class_ is None else table.position(params.class_)
    if params.by == "class":
        return Summary(groups=_by_class(table, position, params.threshold, token))
    found: _Counts = {}
    by = params.by
    for scores in _reached(table, position, params.threshold, token):
        _count(table, scores, by, found)
    if params.by == "file":
        found = _by_place(table, found, token)
    keys = sorted(found, key=lambda key: (key is None, key))
    return Summary(groups=tuple(SummaryGroup(key=key, count=found[key][0], max=found[key][1]) for key in keys))


def _reached(table: OpenTable, position: int | None, threshold: float | None, token: CancelToken) -> Iterator[Scores]:
    """The scores that count, some at a time."""
    least = None if threshold is None else (threshold, math.inf)
    kept = table.stored.kept.scores
    if position is None and kept is not None:
        yield from all_scores(table, kept, token, least)
        return
    for which in range(len(table.stored.content.classes)) if position is None else (position,):
        token.raise_if_cancelled()
        yield scores_of(table, which, token, least)


def _count(table: OpenTable, scores: Scores, by: Grouping, found: _Counts) -> None:
    """Add what the groups have of `scores` to `found`."""
    groups = groups_of(table.places(), table.stored.kept.clips, scores.clip, by)
    counts = np.bincount(groups.numbers, minlength=groups.count)
    highest = np.full(groups.count, -math.inf)
    np.maximum.at(highest, groups.numbers, scores.score)
    for group in np.flatnonzero(counts).tolist():
        key = groups.key(group)
        count, high = found.get(key, (0, -math.inf))
        found[key] = (count + int(counts[group]), max(high, float(highest[group])))


def _by_place(table: OpenTable, found: _Counts, token: CancelToken) -> _Counts:
    """Groups by a recording's name in the table as groups by where it is now: several names may be one place."""
    place_of = dict(zip(table.names(), table.places_now(token), strict=True))
    places: _Counts = {}
    for name, (count, high) in found.items():
        assert name is not None
        place = place_of[name]
        known, highest = places.get(place, (0, -math.inf))
        places[place] = (known + count, max(highest, high))
    return places


def _by_class(
    table: OpenTable, position: int | None, threshold: float | None, token: CancelToken
) -> tuple[SummaryGroup, ...]:
    wanted = tuple(range(len(table.stored.content.classes))) if position is None else (position,)
    counts = (_counts_of_columns if table.stored.content.wide else _counts_of_parts)(table, wanted, threshold, token)
    names = [table.stored.content.classes[which].name for which in wanted]
    return tuple(
        SummaryGroup(key=name, count=count, max=high) for name, (count, high) in zip(names, counts, strict=True)
    )


def _counts_of_columns(
    table: OpenTable, wanted: tuple[int, ...], threshold: float | None, token: CancelToken
) -> list[tuple[int, float | None]]:
    reached = "TRUE" if threshold is None else f"score >= {number(threshold)}"
    asked_of = " UNION ALL ".join(
        f"SELECT {which} AS class, count(*), max(score) FROM "
        f"(SELECT s{which} AS score FROM {table.stored.schema}.clips) WHERE NOT isnan(score) AND {reached}"
        for which in wanted
    )
    with asked(table, token) as cursor:
        rows = cursor.execute(f"{asked_of} ORDER BY class").fetchall()
    return [(count, high) for _, count, high in rows]


def _counts_of_parts(
    table: OpenTable, wanted: tuple[int, ...], threshold: float | None, _token: CancelToken
) -> list[tuple[int, float | None]]:
    scores = table.stored.kept.scores
    assert scores is not None
    least = None if threshold is None else (threshold, math.inf)
    parts = [within_class(table, scores, which, least) for which in wanted]
    return [(end - begin, float(scores.score[begin]) if begin < end else None) for begin, end in parts]
