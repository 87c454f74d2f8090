"""Pages of all classes.

What lives here: by score through merging (merged.py); by recording or row through counting. What must not: one class
(page.py), the beginning of dense tables (leading.py).

By recording or row, keys are whole numbers: they are counted in some ten thousand ranges, and only the scores of the
ranges that the page reaches into are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rpc.cancel import CancelToken
from schemas.scores import PageParams
from sidecar.scores.merged import merged_window
from sidecar.scores.questions import Scores, all_scores, joined, scores_in_order, within_class
from sidecar.scores.session import OpenTable
from sidecar.scores.window import window
from survey.tables.columns import Column
from survey.tables.kept import LongScores

_RANGES = 1 << 16


def every_class_page(
    table: OpenTable, params: PageParams, files: Column | None, token: CancelToken
) -> tuple[Scores, int]:
    """The scores of a page, and how many there are in all; `files` tells of every recording whether it is chosen.

    Raises
    ------
    RequestCancelled
    """
    scores = scores_in_order(table, token)
    if params.sort == "score" and files is None:
        return _by_score(table, scores, params)
    if params.sort == "score":
        chosen = joined(list(_chosen(table, scores, params, files, token)))
        key = -chosen.score if params.descending else chosen.score
        places = window((key, chosen.row, _classes_of(chosen)), params.offset, params.offset + params.limit)
        return chosen.take(places), len(chosen.row)
    return _by_number(table, scores, params, files, token)


def _by_score(table: OpenTable, scores: LongScores, params: PageParams) -> tuple[Scores, int]:
    parts = [
        within_class(table, scores, position, params.score_range)
        for position in range(len(table.stored.content.classes))
    ]
    begins, ends = np.array(parts, np.int64).reshape(-1, 2).T
    last = params.offset + params.limit
    places = merged_window(scores, begins, ends, params.offset, last, downwards=params.descending)
    classes = np.searchsorted(scores.ends, places, "right") - 1
    shown = Scores(scores.score[places], scores.clip[places], scores.row[places], classes)
    return shown, int((ends - begins).sum())


def _by_number(
    table: OpenTable, scores: LongScores, params: PageParams, files: Column | None, token: CancelToken
) -> tuple[Scores, int]:
    """By row, or by the place of the clip among all clips by recording and time."""
    ranks = None if params.sort == "row" else table.clip_ranks()
    shift = _shift(scores.row if ranks is None else ranks)
    # Millions of clips are looked up in no order: of two bytes each, most of them are in the processor's own memory.
    ranges_of_clips = None if ranks is None else (ranks >> shift).astype(np.uint16)

    def range_of(some: Scores) -> Column:
        return some.row >> shift if ranges_of_clips is None else ranges_of_clips[some.clip]

    counts = np.zeros(_RANGES, np.int64)
    for some in _chosen(table, scores, params, files, token):
        counts += np.bincount(range_of(some), minlength=_RANGES)
    total = int(counts.sum())
    ranges, passed = _ranges_of_page(counts, params)
    parts = []
    for some in _chosen(table, scores, params, files, token):
        reached = range_of(some)
        parts.append(some.take(np.flatnonzero((reached >= ranges[0]) & (reached <= ranges[1]))))
    chosen = joined(parts)
    key = chosen.row.astype(np.int64) if ranks is None else ranks[chosen.clip]
    keys = (-key if params.descending else key, chosen.row, _classes_of(chosen))
    first = params.offset - passed
    return chosen.take(window(keys, first, first + params.limit)), total


def _shift(keys: Column) -> int:
    """By how many bits keys are shortened, so that there are at most _RANGES of them."""
    return max(0, int(keys.max(initial=0)).bit_length() - (_RANGES.bit_length() - 1))


def _ranges_of_page(counts: Column, params: PageParams) -> tuple[tuple[int, int], int]:
    """The first and last range that the page reaches into, and how many scores come before them in its order."""
    in_order = counts[::-1] if params.descending else counts
    ends = np.cumsum(in_order)
    first, last = np.searchsorted(ends, [params.offset, params.offset + params.limit - 1], "right")
    passed = int(ends[first - 1]) if first else 0
    ends_of_page = (_RANGES - 1 - last, _RANGES - 1 - first) if params.descending else (first, last)
    return (int(ends_of_page[0]), int(ends_of_page[1])), passed


def _chosen(
    table: OpenTable, scores: LongScores, params: PageParams, files: Column | None, token: CancelToken
) -> Iterator[Scores]:
    """The scores in range and of the chosen recordings, some at a time."""
    chosen = None if files is None else files[table.stored.kept.clips.file]
    for some in all_scores(table, scores, token, params.score_range):
        yield some if chosen is None else some.take(np.flatnonzero(chosen[some.clip]))


def _classes_of(scores: Scores) -> Column:
    assert scores.classes is not None
    return scores.classes
