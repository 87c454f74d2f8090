"""Putting scores in order: by class, the highest first, NaN last, equal ones as the rows of the source come.

What lives here: sorting any number of scores in bounded memory. What must not: where rows come from, questions.

Scores come in pieces of some million rows. Each piece is sorted by class as it comes and set aside; at the end, some
classes at a time are gathered from all pieces and sorted by score; a class of many millions from its highest scores to
its lowest, a range at a time. numpy sorts numbers in a quarter of the time that DuckDB takes for rows.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rpc.cancel import CancelToken
from survey.tables.columns import Column, ColumnWriter, mapped

PIECE = 2_000_000
"""Rows of a piece."""
KINDS = {"clip": "u4", "row": "u4", "score": "f8", "low": "f8", "high": "f8"}
"""The columns that are sorted with the scores, and how numpy names their types."""

_PIECES_IN_MEMORY = 4
_MERGED_AT_ONCE = 1_000_000
_LARGEST_MERGE = 4_000_000
_SAMPLES = 64
_THREADS = 2


@dataclass(slots=True)
class ClassStatistics:
    """What one pass over the sorted scores of a class tells. NaN counts as absent, infinities are not in the range."""

    held: int = 0
    count: int = 0
    low: float | None = None
    high: float | None = None
    total: float = 0.0
    finite: int = 0

    def add(self, scores: Column) -> None:
        """`scores` from the highest to the lowest, NaN last; they follow those that were added before."""
        known = scores[: len(scores) - int(np.count_nonzero(np.isnan(scores)))]
        finite = known[np.isfinite(known)]
        self.held += len(scores)
        self.count += len(known)
        if len(finite):
            self.high = float(finite[0]) if self.high is None else self.high
            self.low = float(finite[-1])
            self.finite += len(finite)
            with np.errstate(over="ignore", invalid="ignore"):
                self.total += float(finite.sum())

    @property
    def mean(self) -> float | None:
        """Of the finite scores; None without any, or where their sum is beyond all numbers."""
        return self.total / self.finite if self.finite and math.isfinite(self.total) else None


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows by class: those of class k are `ends[k]:ends[k + 1]`."""

    ends: Column
    columns: Mapping[str, Column]


_Part = tuple[int, list[tuple[int, int]]]
"""A class, and which of its rows in each piece."""


@dataclass(frozen=True, slots=True)
class _Merged:
    """Rows of some classes in their order; `parts` tells the class, the first and the last row of each."""

    columns: Mapping[str, Column]
    parts: tuple[tuple[int, int, int], ...]


class SortedScores:
    """Takes scores in the order of their rows; writes them by class, the highest first."""

    def __init__(self, spill: Path, class_count: int, *, bounds: bool) -> None:
        """What does not fit into memory waits in `spill`. With `bounds`, scores have low and high."""
        self._spill = spill
        self._class_count = class_count
        self._names = tuple(name for name in KINDS if bounds or name not in ("low", "high"))
        self._pieces: list[_Piece] = []

    def add(self, classes: Column, columns: Mapping[str, Column]) -> None:
        """Rows that follow those before: the number of the class of each, and its columns. Raises OSError."""
        # Numbers of 16 bits are sorted in a fraction of the time.
        narrow = classes.astype(np.uint16 if self._class_count <= 2**16 else np.uint32)
        order = np.argsort(narrow, kind="stable")
        ends = np.concatenate(([0], np.cumsum(np.bincount(narrow, minlength=self._class_count))))
        in_order = {name: columns[name].astype(KINDS[name], copy=False)[order] for name in self._names}
        self._pieces.append(_Piece(ends, self._set_aside(in_order)))

    def _set_aside(self, columns: dict[str, Column]) -> dict[str, Column]:
        """The same columns, on the disk when there are several already."""
        if len(self._pieces) < _PIECES_IN_MEMORY:
            return columns
        self._spill.mkdir(exist_ok=True)
        found = {}
        for name, column in columns.items():
            path = self._spill / f"piece-{len(self._pieces)}-{name}"
            with ColumnWriter(path, KINDS[name]) as writer:
                writer.append(column)
            found[name] = mapped(path, KINDS[name], "r+")
        return found

    def write(
        self, folder: Path, token: CancelToken, report: Callable[[float], None], clip_of: Column | None = None
    ) -> tuple[ClassStatistics, ...]:
        """Write the columns into `folder`; what is known of each class then.

        `clip_of` gives clips their final numbers. `report` hears the share that is done.

        Raises
        ------
        OSError, RequestCancelled
        """
        statistics = tuple(ClassStatistics() for _ in range(self._class_count))
        with contextlib.ExitStack() as stack:
            writers = {
                name: stack.enter_context(ColumnWriter(folder / f"{name}.{KINDS[name]}", KINDS[name]))
                for name in self._names
            }
            for merged in self._merged(token):
                for name, writer in writers.items():
                    column = merged.columns[name]
                    writer.append(clip_of[column] if name == "clip" and clip_of is not None else column)
                for which, first, last in merged.parts:
                    statistics[which].add(merged.columns["score"][first:last])
                report(merged.parts[-1][0] / self._class_count)
            for writer in writers.values():
                writer.close()
        self._pieces.clear()
        return statistics

    def _merged(self, token: CancelToken) -> Iterator[_Merged]:
        """All rows in their order; some threads merge ahead of whoever takes them."""
        waiting: deque[Future[_Merged]] = deque()
        with ThreadPoolExecutor(_THREADS, "merging") as threads:
            for parts in self._batches():
                token.raise_if_cancelled()
                waiting.append(threads.submit(self._merge, parts))
                if len(waiting) > _THREADS:
                    yield waiting.popleft().result()
            while waiting:
                token.raise_if_cancelled()
                yield waiting.popleft().result()

    def _batches(self) -> Iterator[list[_Part]]:
        """What is merged together: several small classes, or a part of a large one."""
        batch: list[_Part] = []
        rows = 0
        sizes = sum((np.diff(piece.ends) for piece in self._pieces), np.zeros(self._class_count, np.int64))
        for number, size in enumerate(sizes.tolist()):
            if rows + size > _MERGED_AT_ONCE and batch:
                yield batch
                batch, rows = [], 0
            if size > _LARGEST_MERGE:
                yield from ([part] for part in self._parts_of(number, size))
            elif size:
                batch.append((number, [(piece.ends[number], piece.ends[number + 1]) for piece in self._pieces]))
                rows += size
        if batch:
            yield batch

    def _parts_of(self, number: int, size: int) -> Iterator[_Part]:
        """A large class in ranges of scores, from the highest to the lowest; each piece of it is sorted for that."""
        for piece in self._pieces:
            _sort_class(piece, number)
        keys = [-piece.columns["score"][piece.ends[number] : piece.ends[number + 1]] for piece in self._pieces]
        sample = np.sort(np.concatenate([part[:: max(1, len(part) // _SAMPLES)] for part in keys]))
        step = max(1, len(sample) * _MERGED_AT_ONCE // size)
        splitters = np.unique(sample[~np.isnan(sample)][step::step])
        first = [int(piece.ends[number]) for piece in self._pieces]
        # Scores that equal a splitter are a range of their own, which need not be sorted.
        cuts = [
            np.stack([np.searchsorted(part, splitters, side) for side in ("left", "right")], axis=1).ravel() + begin
            for part, begin in zip(keys, first, strict=True)
        ]
        ends = [*np.array(cuts).T.tolist(), [int(piece.ends[number + 1]) for piece in self._pieces]]
        for index, end in enumerate(ends):
            rows = list(zip(first, end, strict=True))
            alike = index % 2 == 1
            yield from self._one_by_one(number, rows) if alike else [(number, rows)]
            first = end

    def _one_by_one(self, number: int, rows: list[tuple[int, int]]) -> Iterator[_Part]:
        for index, these in enumerate(rows):
            yield number, [these if which == index else (0, 0) for which in range(len(rows))]

    def _merge(self, parts: list[_Part]) -> _Merged:
        size = sum(last - first for _, rows in parts for first, last in rows)
        columns = {name: np.empty(size, KINDS[name]) for name in self._names}
        told, begin = [], 0
        for number, rows in parts:
            end = begin + sum(last - first for first, last in rows)
            self._merge_class(rows, {name: column[begin:end] for name, column in columns.items()})
            told.append((number, begin, end))
            begin = end
        return _Merged(columns, tuple(told))

    def _merge_class(self, rows: list[tuple[int, int]], target: Mapping[str, Column]) -> None:
        held = [(piece, *these) for piece, these in zip(self._pieces, rows, strict=True) if these[0] < these[1]]
        joined = {name: _joined([p.columns[name][first:last] for p, first, last in held]) for name in self._names}
        order = from_the_highest(joined["score"])
        for name, column in target.items():
            np.take(joined[name], order, out=column)


def _sort_class(piece: _Piece, number: int) -> None:
    these = slice(piece.ends[number], piece.ends[number + 1])
    order = from_the_highest(piece.columns["score"][these])
    for column in piece.columns.values():
        column[these] = column[these][order]


def from_the_highest(scores: Column) -> Column:
    """The order of `scores`: NaN last, equal ones as they come."""
    keys = -scores
    order = np.argsort(keys)  # several times as fast as a stable sort, but for what is equal
    keys = keys[order]
    equal = np.concatenate(([False], keys[1:] == keys[:-1], [False]))
    tied = np.flatnonzero(equal[1:] | equal[:-1])
    if len(tied):
        group = np.cumsum(~equal[:-1])[tied]
        order[tied] = order[tied][np.lexsort((order[tied], group))]
    numbers = len(keys) - int(np.count_nonzero(np.isnan(keys)))
    order[numbers:].sort()
    return order


def _joined(parts: list[Column]) -> Column:
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0)
