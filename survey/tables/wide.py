"""Wide tables: a row per clip, a column per class, in a DuckDB table.

    clips(row, path, start, end, s0, s1, ...)

What lives here: what all readers of dense tables share, and what is found out about the table they made. What must
not: reading a source.

Columns are called s0, s1, ... because `Owl` and `owl` are two classes, but one name to DuckDB.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import duckdb
import numpy as np

from schemas.scores import ClassSummary, RowProblem, TableFormat
from survey.tables.canonical import Document, TableContent, Target
from survey.tables.columns import Column, ColumnWriter, refuse_too_many

WIDE_STAGING = "wide_staging"
"""A table of row, path, start, end and `scores`, the list of all scores of a clip: where long tables come from."""

_ROOMY = "1500MB"
_CLASSES_PER_QUERY = 200
_CLIPS_AT_ONCE = 1_000_000


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


def wide_document(
    cursor: duckdb.DuckDBPyConnection,
    target: Target,
    names: tuple[str, ...],
    format: TableFormat,
    problems: tuple[RowProblem, ...],
) -> Document:
    """What the filled table of clips holds, whose keys are written as columns (kept.py). Raises OSError."""
    files = _number_files(cursor, target.schema)
    clips = _write_clips(cursor, target)
    content = TableContent(
        format=format,
        layout="dense",
        wide=True,
        clip_count=clips,
        file_count=len(files),
        classes=_summaries(cursor, target.schema, names),
        problems=problems,
    )
    return Document(content=content, files=files, clips=clips)


def _number_files(cursor: duckdb.DuckDBPyConnection, schema: str) -> tuple[str, ...]:
    """Recordings in the order of their first rows."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE wide_files AS SELECT "
        f"CAST(row_number() OVER (ORDER BY min(row)) - 1 AS INTEGER) AS file, path FROM {schema}.clips GROUP BY path"
    )
    return tuple(row[0] for row in cursor.execute("SELECT path FROM wide_files ORDER BY file").fetchall())


def _write_clips(cursor: duckdb.DuckDBPyConnection, target: Target) -> int:
    """Recording, times and row of every clip, in the order in which the table gives its columns; how many."""
    kinds = {"file": "u4", "start": "f8", "end": "f8", "clip-row": "u4"}
    counted = cursor.execute(f"SELECT count(*), max(rowid), max(row) FROM {target.schema}.clips").fetchone()
    count, last, highest = counted if counted and counted[0] else (0, -1, -1)
    refuse_too_many(highest + 1, target.path)
    with contextlib.ExitStack() as stack:
        writers = {
            name: stack.enter_context(ColumnWriter(target.folder / f"{name}.{kind}", kind))
            for name, kind in kinds.items()
        }
        for first in range(0, last + 1, _CLIPS_AT_ONCE):
            columns = _clips_between(cursor, target.schema, first, first + _CLIPS_AT_ONCE)
            for name, writer in writers.items():
                writer.append(columns[name])
        for writer in writers.values():
            writer.close()
    return int(count)


def _clips_between(cursor: duckdb.DuckDBPyConnection, schema: str, first: int, end: int) -> dict[str, Column]:
    columns = cursor.execute(
        f'SELECT clips.rowid AS place, file, "start", "end", row AS "clip-row" FROM {schema}.clips AS clips '
        f"JOIN wide_files USING (path) WHERE clips.rowid >= {first} AND clips.rowid < {end}"
    ).fetchnumpy()
    order = np.argsort(columns["place"], kind="stable")
    return {name: column[order] for name, column in columns.items()}


_Row = tuple[int, float | None, float | None, float | None]


def _summaries(cursor: duckdb.DuckDBPyConnection, schema: str, names: tuple[str, ...]) -> tuple[ClassSummary, ...]:
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
