"""The scores of all classes of a long table in one order, without putting them in it.

What lives here: finding the scores that stand at some places of that order. What must not: pages.

Every class has its scores in order already. So the score at any place of all is found by halving: guess a score, count
in every class what comes before it, and go on where the place must be. Equal scores are in the order of their rows,
and among them the row at any place is found in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from survey.tables.columns import Column
from survey.tables.kept import LongScores


@dataclass(frozen=True, slots=True)
class _Parts:
    """Parts of a column, each in order: downwards, or upwards. `begins` and `ends` are places in the column."""

    column: Column
    begins: Column
    ends: Column
    downwards: bool

    @property
    def count(self) -> int:
        return int((self.ends - self.begins).sum())

    def split(self, value: float) -> tuple[Column, Column]:
        """Where in each part what equals `value` begins and ends."""
        return self._ends_before(value, alike=False), self._ends_before(value, alike=True)

    def _ends_before(self, value: float, *, alike: bool) -> Column:
        low, high = self.begins, self.ends
        while (open_ := low < high).any():
            middle = (low + high) // 2
            found = self.column[np.where(open_, middle, 0)]
            before = (found > value) if self.downwards else (found < value)
            before |= (found == value) & alike
            low = np.where(open_ & before, middle + 1, low)
            high = np.where(open_ & ~before, middle, high)
        return low

    def value_at(self, place: int) -> float:
        """What stands at a place of all parts taken together, counted from 0."""
        low, high = self.begins, self.ends
        while True:
            guess = self._guess(low, high)
            begins, ends = self.split(guess)
            if (begins - self.begins).sum() > place:
                high = np.clip(begins, low, high)
            elif (ends - self.begins).sum() > place:
                return guess
            else:
                low = np.clip(ends, low, high)

    def _guess(self, low: Column, high: Column) -> float:
        """The middle one of the parts' own middles, each of which counts as much as its part is long."""
        there = low < high
        values = self.column[((low + high) // 2)[there]]
        order = np.argsort(values)
        weights = np.cumsum((high - low)[there][order])
        middle: float = values[order[np.searchsorted(weights, weights[-1] / 2)]].item()
        return middle


def merged_window(
    scores: LongScores, begins: Column, ends: Column, first: int, last: int, *, downwards: bool
) -> Column:
    """The places in the columns of what comes from `first` to `last` (without it) among some parts of them.

    The order is that of scores, from the highest or from the lowest; equal ones by row and class.
    """
    parts = _Parts(scores.score, begins, ends, downwards=True)
    count = parts.count
    first, last = min(first, count), min(last, count)
    if first == last:
        return np.empty(0, np.int64)
    outer = [parts.value_at(place if downwards else count - 1 - place) for place in (first, last - 1)]
    (begin, end), (begin_last, end_last) = (parts.split(value) for value in outer)

    def before(begin: Column, end: Column) -> int:
        return int((begin - begins).sum() if downwards else (ends - end).sum())

    passed = before(begin, end)
    found = [_alike(scores, begin, end, first - passed, last - passed)]
    if outer[0] != outer[1]:
        between = _places(*((end, begin_last) if downwards else (end_last, begin)))
        score = scores.score[between]
        keys = (_classes(scores, between), scores.row[between], -score if downwards else score)
        rest = last - before(begin_last, end_last)
        found += [between[np.lexsort(keys)], _alike(scores, begin_last, end_last, 0, rest)]
    return np.concatenate(found)


def _alike(scores: LongScores, begins: Column, ends: Column, first: int, last: int) -> Column:
    """As `merged_window` for parts in which all scores are equal."""
    parts = _Parts(scores.row, begins, ends, downwards=False)
    last = min(last, parts.count)
    begin, _ = parts.split(parts.value_at(first))
    _, end = parts.split(parts.value_at(last - 1))
    places = _places(begin, end)
    order = np.lexsort((_classes(scores, places), scores.row[places]))
    passed = int((begin - begins).sum())
    return places[order[first - passed : last - passed]]


def _places(begins: Column, ends: Column) -> Column:
    """Every number from each begin to its end."""
    sizes = ends - begins
    return np.repeat(begins - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes) + np.arange(sizes.sum())


def _classes(scores: LongScores, places: Column) -> Column:
    return np.searchsorted(scores.ends, places, "right") - 1
