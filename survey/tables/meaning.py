"""What the columns of a sparse table mean, whatever its format: one SQL expression for each part of a row.

What lives here: that record, and looking columns up by name. What must not: any one format, reading.

Columns of a source are `c0`, `c1`, ... in SQL (sources.py). A class is known by its scientific name where there
is one; common name, code and frequency bounds are kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.scores import TableFormat
from survey.database import literal


@dataclass(frozen=True, slots=True)
class Meaning:
    """A row of a sparse table as SQL. Times in seconds from the start of the recording, bounds in Hz.

    `numbers` are the columns to be read as numbers: a row in which one is none is left out and told.
    `keep` is the condition on rows that count.
    """

    format: TableFormat
    path: str
    start: str
    end: str
    name: str
    numbers: frozenset[int]
    score: str = "1.0"
    common: str = "NULL"
    code: str = "NULL"
    low: str = "NULL"
    high: str = "NULL"
    keep: str = "TRUE"
    note: str | None = None


class Columns:
    """The columns of a table by name; upper and lower case make no difference, of two the first counts."""

    def __init__(self, names: Iterable[str]) -> None:
        self._positions: dict[str, int] = {}
        for position, name in enumerate(names):
            self._positions.setdefault(name.strip().lower(), position)

    def position(self, *names: str) -> int | None:
        """Where the first of `names` that the table has is, counted from 0."""
        return next((self._positions[name] for name in names if name in self._positions), None)

    def has(self, *names: str) -> bool:
        """Whether all of `names` are there."""
        return all(name in self._positions for name in names)

    def text(self, *names: str) -> str:
        """SQL for the first of `names` that is there, empty cells NULL; NULL when none is."""
        position = self.position(*names)
        return "NULL" if position is None else f"nullif(c{position}, '')"

    def number(self, *names: str) -> str:
        """SQL for the first of `names` that is there; NULL when none is. It must be among `numbers`."""
        position = self.position(*names)
        return "NULL" if position is None else f"c{position}"

    def numbers(self, *names: str) -> frozenset[int]:
        """The positions of all of `names` that are there."""
        return frozenset(self._positions[name] for name in names if name in self._positions)


def first_of(*expressions: str) -> str:
    """SQL for the first of `expressions` that is not NULL."""
    return f"coalesce({', '.join(expressions)})"


def constant(text: str) -> str:
    """A text that is the same in every row."""
    return literal(text)
