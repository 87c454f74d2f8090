"""How many detections there are, by class, recording, time or place.

What lives here: scores/summary. What must not: where the times and places come from (grouping.py).
"""

from __future__ import annotations

import math

from rpc.cancel import CancelToken
from schemas.scores import Summary, SummaryGroup, SummaryParams
from sidecar.scores.grouping import GROUP_SQL, add_groups
from sidecar.scores.questions import clips_of, number, scores_of
from sidecar.scores.session import OpenTable
from survey.paths import path_to_wire

_Row = tuple[str, int, float]


def summary_of(table: OpenTable, params: SummaryParams, token: CancelToken) -> Summary:
    """The groups that `params` asks for; those without any score that counts are left out, but classes.

    Raises
    ------
    ScoresNotFound, RequestCancelled
    """
    position = None if params.class_ is None else table.position(params.class_)
    reached = "TRUE" if params.threshold is None else f"score >= {number(params.threshold)}"
    chosen = f"({scores_of(table, position)} AND {reached})"
    if params.by == "class":
        return Summary(groups=_by_class(table, position, chosen, token))
    names = table.names(token)
    counted = (
        f"SELECT {GROUP_SQL[params.by]} AS key, count(*), max(score) FROM {chosen} "
        f"JOIN ({clips_of(table)}) USING (clip) LEFT JOIN places USING (path) GROUP BY key ORDER BY key NULLS LAST"
    )
    with table.store.cursor(token) as cursor:
        add_groups(cursor, names)
        rows = cursor.execute(counted).fetchall()
    return Summary(groups=tuple(_group(*row) for row in (_by_place(table, rows) if params.by == "file" else rows)))


def _by_place(table: OpenTable, rows: list[_Row]) -> list[_Row]:
    """Groups by a recording's name in the table as groups by where it is now: several names may be one place."""
    places: dict[str, tuple[int, float]] = {}
    for name, count, high in rows:
        place = path_to_wire(table.recordings.find(name))
        known, highest = places.get(place, (0, -math.inf))
        places[place] = (known + count, max(highest, high))
    return [(place, *found) for place, found in sorted(places.items())]


def _by_class(table: OpenTable, position: int | None, chosen: str, token: CancelToken) -> tuple[SummaryGroup, ...]:
    classes = table.stored.content.classes
    with table.store.cursor(token) as cursor:
        rows = cursor.execute(f"SELECT class, count(*), max(score) FROM {chosen} GROUP BY class").fetchall()
    found = {row[0]: row[1:] for row in rows}
    wanted = range(len(classes)) if position is None else (position,)
    return tuple(_group(classes[index].name, *found.get(index, (0, None))) for index in wanted)


def _group(key: str | None, count: int, high: float | None) -> SummaryGroup:
    return SummaryGroup(key=key, count=count, max=high)
