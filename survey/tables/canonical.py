"""The one form that every score table becomes.

    wide     a column per class, in a DuckDB table (wide.py): clips(row, path, start, end, s0, s1, ...)
    long     a row per score, by class, the highest first, as columns of numbers (long.py)

What lives here: what is known of a table besides its scores, and what every format checks of its rows. What must not:
any one format.

`row` counts the rows of the source from 0, `start` and `end` are seconds from the start of the recording, (0, 0)
for a whole file. Scores are DOUBLE; NULL is an absent score. `low` and `high` are a call's bounds in Hz, `common` and
`code` other names of a class, where the source has them.

A dense table stays wide: turned long it would cost four times the time and more than twice the memory to load. But one
of more than MAX_WIDE classes is turned long, because every column costs a block of the database.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

import duckdb
import msgspec

from rpc.errors import FormatUnknown
from schemas.scores import ClassSummary, RowProblem, TableFormat
from survey.tables.sources import MAX_PROBLEMS, Source

CANONICAL_VERSION = 5
MAX_WIDE = 1000
_NAMES_SHOWN = 5
_COLUMNS_SHOWN = 12


class TableContent(msgspec.Struct, kw_only=True, frozen=True):
    """What a table holds besides its rows. `clip_count` counts clips with times, scored or not.

    `layout` is that of the source, `wide` how it is kept.
    """

    format: TableFormat
    layout: Literal["dense", "sparse"]
    wide: bool
    clip_count: int
    file_count: int
    classes: tuple[ClassSummary, ...]
    problems: tuple[RowProblem, ...]


class Document(msgspec.Struct, kw_only=True, frozen=True):
    """A table but for its numbers. `files` are the recordings by their names in the table, in the order of their rows.

    `clips` counts clips that have a row. Of long tables, `held` counts the scores of each class, NaN too; `commons` and
    `codes` are other names of the classes; `bounded` tells that scores have bounds in Hz.
    """

    content: TableContent
    files: tuple[str, ...]
    clips: int
    held: tuple[int, ...] = ()
    commons: tuple[str | None, ...] = ()
    codes: tuple[str | None, ...] = ()
    bounded: bool = False

    def with_problems(self, problems: Iterable[RowProblem]) -> Document:
        """The same, with other problems: the first MAX_PROBLEMS of these."""
        told = tuple(itertools.islice(problems, MAX_PROBLEMS))
        return msgspec.structs.replace(self, content=msgspec.structs.replace(self.content, problems=told))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a table is written: `schema` takes the clips of a wide one, `folder` all columns; `spill` what must wait.

    `path` is the source, for errors.
    """

    path: Path
    schema: str
    folder: Path
    spill: Path


def refuse_duplicates(source: Source, classes: tuple[str, ...]) -> None:
    """Two columns of one name: which is meant cannot be told, so the table is refused."""
    if len(set(classes)) == len(classes):
        return
    doubled = [name for name, count in Counter(classes).items() if count > 1][:_NAMES_SHOWN]
    shown = ", ".join(f"`{name}` (columns {_numbers_of(source, name)})" for name in doubled)
    raise FormatUnknown(
        f"{source.path.name} names these classes more than once: {shown}.",
        path=source.path,
        hint="Rename them or remove all but one of each, and load it again.",
    )


def _numbers_of(source: Source, name: str) -> str:
    numbers = [str(index) for index, column in enumerate(source.columns, start=1) if column == name]
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]])


def line_of(source: Source, row: int) -> int:
    """The line at which the row with this number stands in a file whose rows are all read."""
    return _Lines(source.blank_lines(source.first_line + row), source.first_line).of(row)


def refuse_header_alone(path: Path, columns: tuple[str, ...]) -> NoReturn:
    """Raise that there is nothing below the header, whose columns are told."""
    message = f"{path.name} holds a header, but no rows. Its columns are {some_names(columns)}."
    hint = "Nothing was found, or the program that writes it was stopped too early."
    raise FormatUnknown(message, path=path, hint=hint)


def some_names(names: tuple[str, ...]) -> str:
    """The first of `names`, and how many more there are."""
    shown = ", ".join(f"`{name}`" for name in names[:_COLUMNS_SHOWN])
    return f"{shown} and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else shown


UNUSABLE = (
    'path IS NULL OR "start" IS NULL OR "end" IS NULL OR NOT isfinite("end") OR NOT ("start" <= "end") OR "start" < 0'
)
"""Rows without a recording, or with times that are absent, no numbers, negative or reversed."""


_UNUSABLE_SCORE = f"{UNUSABLE} OR name IS NULL OR score IS NULL"


def drop_unusable_clips(
    cursor: duckdb.DuckDBPyConnection, table: str, source: Source, rejected: list[RowProblem]
) -> list[RowProblem]:
    """Remove unusable rows from a dense table; why, joined with the rows that reading `rejected`.

    A recording that could not be read has a row with empty times. It is told, too: its clips are missing.
    """
    query = f'SELECT row, path, "start", "end" FROM {table} WHERE {UNUSABLE} ORDER BY row LIMIT {MAX_PROBLEMS}'
    why = {
        row: _why_unusable(path, start, end) or f"{path} has no times: it could not be read when the scores were made."
        for row, path, start, end in cursor.execute(query).fetchall()
    }
    if why:
        cursor.execute(f"DELETE FROM {table} WHERE {UNUSABLE}")
    return _told(why, source, rejected, 0)


def drop_unusable_scores(
    cursor: duckdb.DuckDBPyConnection, table: str, source: Source, rejected: list[RowProblem], first_row: int
) -> list[RowProblem]:
    """The same for rows from `first_row` of a table with a row per score, whose class and score must be there too."""
    unusable = f"row >= {first_row} AND ({_UNUSABLE_SCORE})"
    why = _unusable_scores(cursor, table, unusable)
    if why:
        cursor.execute(f"DELETE FROM {table} WHERE {unusable}")
    return _told(why, source, rejected, first_row)


def usable_scores(cursor: duckdb.DuckDBPyConnection, view: str, source: Source, usable: str) -> list[RowProblem]:
    """Make the view `usable` of the rows of `view` that can be used; why the others cannot."""
    why = _unusable_scores(cursor, view, _UNUSABLE_SCORE)
    condition = f"NOT ({_UNUSABLE_SCORE})" if why else "TRUE"
    cursor.execute(f"CREATE OR REPLACE TEMP VIEW {usable} AS SELECT * FROM {view} WHERE {condition}")
    return _told(why, source, [], 0)


def _unusable_scores(cursor: duckdb.DuckDBPyConnection, table: str, unusable: str) -> dict[int, str]:
    columns = 'row, path, "start", "end", name IS NULL'
    query = f"SELECT {columns} FROM {table} WHERE {unusable} ORDER BY row LIMIT {MAX_PROBLEMS}"
    return {
        row: _why_unusable(path, start, end) or f"The row for {path} {_lacks(start, end, unnamed=unnamed)}."
        for row, path, start, end, unnamed in cursor.execute(query).fetchall()
    }


def _told(why: dict[int, str], source: Source, rejected: list[RowProblem], first_row: int) -> list[RowProblem]:
    """What is wrong with rows, by their number, as problems of lines, joined with those that reading `rejected`."""
    passed_over = [problem.row for problem in rejected]
    if why:
        rows = source.first_line + max(why) - first_row + len(rejected)
        passed_over += [line for line in source.blank_lines(rows) if line >= source.first_line]
    lines = _Lines(passed_over, source.first_line - first_row)
    found = [RowProblem(row=lines.of(row), message=message) for row, message in why.items()]
    return sorted([*rejected, *found], key=lambda problem: problem.row)[:MAX_PROBLEMS]


class _Lines:
    """From the number of a row that was read to its line in the file, counted from 1; `shift` lies between them.

    On the lines `passed_over` no row was read. Rows must be asked for in their order.
    """

    def __init__(self, passed_over: Iterable[int], shift: int) -> None:
        self._ahead = deque(sorted(passed_over))
        self._shift = shift

    def of(self, row: int) -> int:
        while self._ahead and self._ahead[0] <= row + self._shift:
            self._ahead.popleft()
            self._shift += 1
        return row + self._shift


def _why_unusable(path: str | None, start: float | None, end: float | None) -> str | None:
    if path is None:
        return "The row names no recording."
    if start is not None and end is not None and (not start <= end or start < 0 or math.isinf(end)):
        return f"{path} has impossible times: {start:g} to {end:g} s."
    return None


def _lacks(start: float | None, end: float | None, *, unnamed: bool) -> str:
    if start is None or end is None:
        return "has no times"
    return "names no class" if unnamed else "has no score"
