"""Sparse tables: a row per score, whatever format they are of; and our own such format.

    file,start_time,end_time,class,score
    /data/a.wav,0.0,3.0,Setophaga pusilla,0.87

What lives here: recognising and writing our own form, and the way of every sparse source from rows to the
canonical form. What must not: what the columns of other formats mean (each format's file).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import msgspec

from rpc.errors import FormatUnknown
from schemas.scores import RowProblem
from survey.database import literal
from survey.tables.canonical import (
    Document,
    Target,
    drop_unusable_scores,
    refuse_header_alone,
    usable_scores,
)
from survey.tables.loading import Loading
from survey.tables.long import Kind, UnusableRows, fill_from_rows
from survey.tables.meaning import Columns, Meaning
from survey.tables.sources import NotUtf8, ParquetSource, Source, TextSource
from survey.tables.writing import written

NAMES = ("file", "start_time", "end_time", "class", "score")


def recognise(source: Source) -> Meaning | None:
    """The meaning of our own sparse table; None when it is none."""
    columns = Columns(source.columns)
    if not columns.has(*NAMES):
        return None
    name, score = columns.position("class"), columns.position("score")
    if name is None or score is None or source.is_number(name) or not source.is_number(score):
        return None
    return Meaning(
        format="sparse",
        path=f"c{columns.position('file')}",
        start=columns.number("start_time"),
        end=columns.number("end_time"),
        name=f"c{name}",
        score=columns.number("score"),
        common=columns.text("common_name"),
        low=columns.number("low_f"),
        high=columns.number("high_f"),
        numbers=columns.numbers("start_time", "end_time", "score", "low_f", "high_f"),
    )


def read(
    cursor: duckdb.DuckDBPyConnection,
    target: Target,
    tables: Iterable[tuple[Source, Meaning]],
    loading: Loading,
    *,
    named: bool = False,
) -> Document:
    """Fill `target` from one table, or several of one format; `named` tells problems with their file.

    Raises
    ------
    FormatUnknown
        No row can be read.
    RequestCancelled
        Between two tables.
    """
    create_staging(cursor)
    problems: list[RowProblem] = []
    rows, last = 0, None
    for source, meaning in tables:
        loading.stage(0 if named else 0.5)
        rows, found = _stage(cursor, source, meaning, rows)
        problems += [_named(problem, source) for problem in found] if named else [*_note(meaning), *found]
        last = (source, meaning)
    assert last is not None
    source, meaning = last
    document = fill_from_rows(cursor, target, (), (meaning.format, "sparse"), loading, 1.0 if named else 0.5)
    return _with_rows(document, source, problems)


def read_parquet(
    cursor: duckdb.DuckDBPyConnection, target: Target, source: ParquetSource, meaning: Meaning, loading: Loading
) -> Document:
    """As `read` for one Parquet file. It is looked through, which is several times as fast as copying it once."""
    cursor.execute(f"CREATE OR REPLACE TEMP VIEW every_row AS {_rows(source, meaning)}")
    cursor.execute("CREATE OR REPLACE TEMP VIEW staging AS SELECT * FROM every_row")
    kind: Kind = (meaning.format, "sparse")
    problems: list[RowProblem] = []
    try:
        if cursor.execute("SELECT 1 FROM every_row WHERE path IS NULL OR name IS NULL LIMIT 1").fetchone():
            raise UnusableRows
        document = fill_from_rows(cursor, target, (), kind, loading, 1.0, checked=False)
    except UnusableRows:
        problems = usable_scores(cursor, "every_row", source, "staging")
        document = fill_from_rows(cursor, target, (), kind, loading, 0.5)
    return _with_rows(document, source, [*_note(meaning), *problems])


def _note(meaning: Meaning) -> list[RowProblem]:
    return [RowProblem(row=0, message=meaning.note)] if meaning.note else []


def _with_rows(document: Document, source: Source, problems: list[RowProblem]) -> Document:
    """`document` with its problems. Raises FormatUnknown when there is nothing in it."""
    if not document.clips:
        worst = next((problem for problem in problems if problem.row), None)
        if worst is None:
            refuse_header_alone(source.path, source.columns)
        message = f"No row of {source.path.name} could be read. Row {worst.row}: {worst.message}"
        raise FormatUnknown(message, path=source.path)
    return document.with_problems(problems)


def create_staging(cursor: duckdb.DuckDBPyConnection) -> None:
    """The rows as they come, before clips and classes get their numbers."""
    cursor.execute(
        'CREATE OR REPLACE TEMP TABLE staging (row BIGINT, path VARCHAR, "start" DOUBLE, "end" DOUBLE, name VARCHAR, '
        "score DOUBLE, common VARCHAR, code VARCHAR, low DOUBLE, high DOUBLE)"
    )


def fill_staging(cursor: duckdb.DuckDBPyConnection, source: Source, meaning: Meaning, first_row: int = 0) -> int:
    """Append the rows of `source`, numbered from `first_row`; the number that the next row will have."""
    cursor.execute(f"INSERT INTO staging {_rows(source, meaning, first_row)}")
    counted = cursor.execute("SELECT max(row) FROM staging").fetchone()
    return first_row if counted is None or counted[0] is None else int(counted[0]) + 1


def _rows(source: Source, meaning: Meaning, first_row: int = 0) -> str:
    parts = {
        "path": meaning.path, '"start"': meaning.start, '"end"': meaning.end, "name": meaning.name,
        "score": meaning.score, "common": meaning.common, "code": meaning.code, "low": meaning.low,
        "high": meaning.high,
    }  # fmt: skip
    columns = ", ".join(f"{sql} AS {name}" for name, sql in parts.items())
    window = "WINDOW following AS (ORDER BY row)" if "following" in columns else ""
    relation = source.numbered(meaning.numbers, ("",), first_row)
    return (
        f"SELECT * EXCLUDE (kept) FROM (SELECT row, {columns}, {meaning.keep} AS kept FROM {relation} {window}) "
        "WHERE kept"
    )


def _stage(
    cursor: duckdb.DuckDBPyConnection, source: Source, meaning: Meaning, first_row: int
) -> tuple[int, list[RowProblem]]:
    """Rows of one table into staging, unusable ones left out; the next row's number, and what was wrong."""
    try:
        rows = fill_staging(cursor, source, meaning, first_row)
        rejected = source.problems(cursor)
    except NotUtf8:
        assert isinstance(source, TextSource)
        cursor.execute(f"DELETE FROM staging WHERE row >= {first_row}")
        source = source.as_latin1()
        rows = fill_staging(cursor, source, meaning, first_row)
        rejected = source.problems(cursor)
    return rows, drop_unusable_scores(cursor, "staging", source, rejected, first_row)


def _named(problem: RowProblem, source: Source) -> RowProblem:
    return msgspec.structs.replace(problem, message=f"{source.path.name}: {problem.message}")


def write(cursor: duckdb.DuckDBPyConnection, path: Path, *, overwrite: bool) -> int:
    """Write our own form as Parquet; how many scores. Everything that a table holds can be carried.

    Frequency bounds are called as in OpenSoundscape, and their columns are there where some are known.
    """
    known = "SELECT 1 FROM export_rows WHERE low IS NOT NULL OR high IS NOT NULL LIMIT 1"
    with written(path, overwrite=overwrite) as aside:
        bounds = "" if cursor.execute(known).fetchone() is None else ", low AS low_f, high AS high_f"
        query = (
            'SELECT path AS file, "start" AS start_time, "end" AS end_time, name AS class, score, '
            f"common AS common_name{bounds} FROM export_rows ORDER BY row, name"
        )
        copied = cursor.execute(
            f"COPY ({query}) TO {literal(str(aside))} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
    return copied[0] if copied else 0
