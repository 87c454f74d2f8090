"""The scores that a question is about, as columns of numbers.

What lives here: finding them in dense and sparse tables alike, and their ranges. What must not: which of them are
chosen (window.py, sampling.py), counting (histogram.py, summary.py), SQL (relations.py).

Absent scores and NaN are in no answer.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams, from_os_error
from sidecar.scores.session import OpenTable
from survey.tables.columns import Column
from survey.tables.kept import LongScores
from survey.tables.ordered import ordered_scores

_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Scores:
    """Some scores, each with its clip, its row, and the number of its class where they are of several.

    `ordered`: the highest first, equal ones in the order of their rows. Otherwise those of a class come by row.
    """

    score: Column
    clip: Column
    row: Column
    classes: Column | None = None
    ordered: bool = False

    def take(self, chosen: Column | slice) -> Self:
        """Those at some places, or a part of them."""
        classes = None if self.classes is None else self.classes[chosen]
        ordered = self.ordered and isinstance(chosen, slice)
        return type(self)(self.score[chosen], self.clip[chosen], self.row[chosen], classes, ordered)

    def with_classes(self, classes: Column) -> Self:
        """The same, their classes known."""
        return type(self)(self.score, self.clip, self.row, classes, self.ordered)


def scores_of(
    table: OpenTable, position: int, token: CancelToken, score_range: tuple[float, float] | None = None
) -> Scores:
    """The scores of a class within a range, both ends included."""
    scores = table.stored.kept.scores
    if scores is not None:
        return _slice_of(scores, slice(*within_class(table, scores, position, score_range)))
    clips, rows = table.clips_by_row()
    column = _column_of(table, position, token)[clips]
    there = ~np.isnan(column) if score_range is None else (column >= score_range[0]) & (column <= score_range[1])
    places = np.flatnonzero(there)
    return Scores(column[places], clips[places], rows[places])


def _column_of(table: OpenTable, position: int, token: CancelToken) -> Column:
    """The scores of a class of a wide table, NaN for absent ones, in the order of its clips."""
    with table.store.cursor(token) as cursor:
        found = cursor.execute(f"SELECT s{position} AS score FROM {table.stored.schema}.clips").fetchnumpy()
    column: Column = np.ma.filled(found["score"], math.nan)
    return column


def scores_in_order(table: OpenTable, token: CancelToken) -> LongScores:
    """The scores of all classes, by class and from the highest. Of a wide table that takes some seconds, once.

    Raises
    ------
    RequestCancelled, DiskFull, PermissionRefused
    """
    kept = table.stored.kept
    if kept.scores is not None:
        return kept.scores

    def found() -> LongScores:
        try:
            return ordered_scores(kept, lambda position: _column_of(table, position, token), token)
        except OSError as error:
            raise from_os_error(error, kept.folder, "keep scores in") from error

    return table.remembered("scores in order", found, token)


def within_class(
    table: OpenTable, scores: LongScores, position: int, score_range: tuple[float, float] | None
) -> tuple[int, int]:
    """Where the scores of a class of a long table begin and end that lie within a range."""
    first = int(scores.ends[position])
    last = first + table.stored.content.classes[position].count
    if score_range is None:
        return first, last
    low, high = score_range
    begin = bisect.bisect_left(scores.score, -high, first, last, key=_downwards)
    return begin, bisect.bisect_right(scores.score, -low, begin, last, key=_downwards)


def _downwards(score: float) -> float:
    return -score


def _slice_of(scores: LongScores, these: slice) -> Scores:
    return Scores(scores.score[these], scores.clip[these], scores.row[these], ordered=True)


def all_scores(
    table: OpenTable, scores: LongScores, token: CancelToken, score_range: tuple[float, float] | None
) -> Iterator[Scores]:
    """The scores of all classes within a range, class by class, some at a time.

    Raises
    ------
    RequestCancelled
    """
    for position in range(len(table.stored.content.classes)):
        begin, end = within_class(table, scores, position, score_range)
        for first in range(begin, end, _AT_ONCE):
            token.raise_if_cancelled()
            some = _slice_of(scores, slice(first, min(first + _AT_ONCE, end)))
            yield Scores(some.score, some.clip, some.row, np.full(len(some.score), position), ordered=True)


def joined(parts: list[Scores]) -> Scores:
    """All of `parts`, of all classes, in no order."""
    if not parts:
        nothing = np.empty(0, np.int64)
        return Scores(np.empty(0), nothing, nothing, nothing)
    return Scores(
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.clip for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.classes for part in parts if part.classes is not None]),
    )


def checked_range(score_range: tuple[float, float] | None, path: str = "$.scoreRange") -> tuple[float, float] | None:
    """`score_range` itself; `path` is for the error.

    Raises
    ------
    InvalidParams
        The ends are swapped, or no numbers.
    """
    if score_range is None:
        return None
    low, high = score_range
    if math.isnan(low) or math.isnan(high) or low > high:
        raise InvalidParams(f"{path}: the lower end ({low:g}) must not be above the upper ({high:g}).")
    return score_range
