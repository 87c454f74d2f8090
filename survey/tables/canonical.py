"""The one form that every score table becomes, as tables of a DuckDB database.

    wide     clips(row, path, start, end, s0, s1, ...)     a column per class
    long     clips(clip, path, start, end)                 and
             scores(class, clip, score, row, low, high)    by class, highest score first, and
             labels(class, name, common, code)

    meta(document)   one row: the JSON of a TableContent

What lives here: the shape, and what every format checks of its rows. What must not: any one format.

`row` counts the rows of the source from 0, `start` and `end` are seconds from the start of the recording, (0, 0)
for a whole file. Scores are DOUBLE; NULL is an absent score. `low` and `high` are a call's bounds in Hz, `common` and
`code` other names of a class, all NULL where the source has none.

A dense table stays wide: turned long it would cost four times the time and more than twice the memory to load. But one
of more than MAX_WIDE classes is turned long, because every column costs a block of the database.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NoReturn

import duckdb
import msgspec

from rpc.decoders import decoder_for
from rpc.errors import FormatUnknown
from schemas.scores import ClassSummary, RowProblem, TableFormat
from survey.database import literal
from survey.tables.sources import MAX_PROBLEMS, Source

CANONICAL_VERSION = 4
MAX_WIDE = 1000
_ROOMY = "1500MB"
_CLASSES_PER_QUERY = 200
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


def write_content(cursor: duckdb.DuckDBPyConnection, schema: str, content: TableContent) -> None:
    """Keep `content` beside the rows."""
    cursor.execute(f"CREATE TABLE {schema}.meta AS SELECT {literal(msgspec.json.encode(content).decode())} AS document")


def read_content(cursor: duckdb.DuckDBPyConnection, schema: str) -> TableContent:
    """What `write_content` kept."""
    row = cursor.execute(f"SELECT document FROM {schema}.meta").fetchone()
    assert row is not None
    content: TableContent = decoder_for(TableContent).decode(row[0])
    return content


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


WIDE_STAGING = "wide_staging"
"""A table of row, path, start, end and `scores`, the list of all scores of a clip: where long tables come from."""


def fill_long(cursor: duckdb.DuckDBPyConnection, schema: str, names: tuple[str, ...]) -> None:
    """Turn WIDE_STAGING long, into `schema`."""
    add_labels(cursor, schema, names)
    cursor.execute(
        f'CREATE TABLE {schema}.clips AS SELECT row AS clip, path, "start", "end" FROM {WIDE_STAGING} ORDER BY row'
    )
    every = f"SELECT row, unnest(range({len(names)})) AS class, unnest(scores) AS score FROM {WIDE_STAGING}"
    cursor.execute(
        f"CREATE TABLE {schema}.scores AS SELECT CAST(class AS INTEGER) AS class, row AS clip, score, row, "
        f"NULL::DOUBLE AS low, NULL::DOUBLE AS high FROM ({every}) WHERE score IS NOT NULL "
        "ORDER BY class, score DESC, row"
    )
    cursor.execute(f"DROP TABLE {WIDE_STAGING}")


def add_labels(
    cursor: duckdb.DuckDBPyConnection, schema: str, names: tuple[str, ...], known: str = "SELECT NULL, NULL, NULL"
) -> None:
    """Number the classes in the order of `names`. `known` is a query for name, common and code."""
    cursor.execute(f"CREATE TABLE {schema}.labels (class INTEGER, name VARCHAR, common VARCHAR, code VARCHAR)")
    cursor.execute(
        f"INSERT INTO {schema}.labels SELECT class, names.name, common, code "
        "FROM (SELECT generate_subscripts($1, 1) - 1 AS class, unnest($1) AS name) AS names "
        f"LEFT JOIN ({known}) AS known(name, common, code) ON names.name = known.name ORDER BY class",
        [list(names)],
    )


@contextlib.contextmanager
def unordered(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Rows need not stay in the order in which they are read, so that all threads write at once."""
    cursor.execute("SET preserve_insertion_order = false")
    try:
        yield
    finally:
        cursor.execute("SET preserve_insertion_order = true")


@contextlib.contextmanager
def roomy(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """More memory on paper, for one thread: DuckDB reserves for thousands of columns several times what it uses."""
    before = cursor.execute("SELECT current_setting('memory_limit'), current_setting('threads')").fetchone()
    assert before is not None
    cursor.execute(f"SET memory_limit = '{_ROOMY}'")
    cursor.execute("SET threads = 1")
    try:
        yield
    finally:
        cursor.execute(f"SET memory_limit = '{before[0]}'")
        cursor.execute(f"SET threads = {before[1]}")


_Row = tuple[int, float | None, float | None, float | None]


def summarise_wide(cursor: duckdb.DuckDBPyConnection, schema: str, names: tuple[str, ...]) -> tuple[ClassSummary, ...]:
    """Count and range of each class, some hundred classes a query."""
    rows: list[_Row] = []
    for first in range(0, len(names), _CLASSES_PER_QUERY):
        columns = [f"s{index}" for index in range(first, min(first + _CLASSES_PER_QUERY, len(names)))]
        found = _aggregate(cursor, schema, columns, _PLAIN)
        # Conditions make an aggregate a hundred times as slow: only classes that hold NaN or infinities need them.
        odd = [index for index, row in enumerate(found) if not _is_finite(row)]
        careful = _aggregate(cursor, schema, [columns[index] for index in odd], _CAREFUL) if odd else []
        for index, row in zip(odd, careful, strict=True):
            found[index] = row
        rows += found
    return tuple(_summary(name, row) for name, row in zip(names, rows, strict=True))


def summarise_long(cursor: duckdb.DuckDBPyConnection, schema: str, names: tuple[str, ...]) -> tuple[ClassSummary, ...]:
    """Count and range of each class; one without any score is there too, with a count of 0."""
    query = f"SELECT class, {{}} FROM {schema}.scores WHERE {{}} GROUP BY class"
    plain = cursor.execute(query.format(_PLAIN.format(score="score"), "TRUE")).fetchall()
    found: dict[int, _Row] = {row[0]: row[1:] for row in plain}
    odd = [str(index) for index, row in found.items() if not _is_finite(row)]
    if odd:
        careful = query.format(_CAREFUL.format(score="score"), f"class IN ({', '.join(odd)})")
        found |= {row[0]: row[1:] for row in cursor.execute(careful).fetchall()}
    return tuple(_summary(name, found.get(index, (0, None, None, None))) for index, name in enumerate(names))


_PLAIN = "count({score}), min({score}), max({score}), avg({score})"
_CAREFUL = (
    "count({score}) FILTER (NOT isnan({score})), min({score}) FILTER (isfinite({score})), "
    "max({score}) FILTER (isfinite({score})), avg({score}) FILTER (isfinite({score}))"
)
"""NaN counts as absent; infinite scores count, but the range and the mean are those of the finite ones."""


def _aggregate(cursor: duckdb.DuckDBPyConnection, schema: str, columns: list[str], aggregates: str) -> list[_Row]:
    """Four numbers for each of `columns`."""
    asked = ", ".join(aggregates.format(score=column) for column in columns)
    row = cursor.execute(f"SELECT {asked} FROM {schema}.clips").fetchone()
    assert row is not None
    return [row[4 * index : 4 * index + 4] for index in range(len(columns))]


def _is_finite(row: _Row) -> bool:
    """Whether no NaN and no infinity went into a row; DuckDB sorts NaN above all else."""
    return all(value is None or math.isfinite(value) for value in row)


def _summary(name: str, row: _Row) -> ClassSummary:
    count, low, high, mean = row
    return ClassSummary(name=name, count=count, min=low, max=high, mean=mean)
