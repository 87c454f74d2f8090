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
from schemas.scores import ClassSummary, RowProblem
from survey.database import literal
from survey.tables.canonical import (
    TableContent,
    add_labels,
    drop_unusable_scores,
    refuse_header_alone,
    summarise_long,
    unordered,
    usable_scores,
)
from survey.tables.loading import Loading
from survey.tables.meaning import Columns, Meaning
from survey.tables.sources import MAX_PROBLEMS, NotUtf8, ParquetSource, Source, TextSource
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
    schema: str,
    tables: Iterable[tuple[Source, Meaning]],
    loading: Loading,
    *,
    named: bool = False,
) -> TableContent:
    """Fill `schema` (canonical.py) from one table, or several of one format; `named` tells problems with their file.

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
        if isinstance(source, ParquetSource) and not named:
            found = _look_through(cursor, source, meaning)
        else:
            rows, found = _stage(cursor, source, meaning, rows)
        note = [RowProblem(row=0, message=meaning.note)] if meaning.note else []
        problems += [_named(problem, source) for problem in found] if named else [*note, *found]
        last = (source, meaning)
    assert last is not None
    source, meaning = last
    clips, files, classes = settle(cursor, schema, (), loading, 1.0 if named else 0.5)
    if not clips:
        worst = next((problem for problem in problems if problem.row), None)
        if worst is None:
            refuse_header_alone(source.path, source.columns)
        message = f"No row of {source.path.name} could be read. Row {worst.row}: {worst.message}"
        raise FormatUnknown(message, path=source.path)
    return TableContent(
        format=meaning.format,
        layout="sparse",
        wide=False,
        clip_count=clips,
        file_count=files,
        classes=classes,
        problems=tuple(problems[:MAX_PROBLEMS]),
    )


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


def _look_through(cursor: duckdb.DuckDBPyConnection, source: Source, meaning: Meaning) -> list[RowProblem]:
    """Make staging a view of a Parquet file, which is read faster several times than copied once."""
    cursor.execute("DROP TABLE staging")
    cursor.execute(f"CREATE OR REPLACE TEMP VIEW every_row AS {_rows(source, meaning)}")
    return usable_scores(cursor, "every_row", source, "staging")


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


def settle(
    cursor: duckdb.DuckDBPyConnection, schema: str, names: tuple[str, ...], loading: Loading, share: float
) -> tuple[int, int, tuple[ClassSummary, ...]]:
    """From staging to clips, scores and labels; how many clips and files with scores there are, and the classes.

    `names` gives the order of the classes, where it is known; otherwise they come in the order of their rows. `share`
    is how much of the whole loading this is.
    """
    loading.stage(share * 0.1)
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE staged_names AS SELECT name, min(row) AS first, "
        "arg_min(common, row) AS common, arg_min(code, row) AS code FROM staging WHERE name IS NOT NULL GROUP BY name"
    )
    if not names:
        names = tuple(row[0] for row in cursor.execute("SELECT name FROM staged_names ORDER BY first").fetchall())
    add_labels(cursor, schema, names, "SELECT name, common, code FROM staged_names")
    loading.stage(share * 0.2)
    clips, files = _settle_clips(cursor, schema)
    loading.stage(share * 0.7)
    _settle_scores(cursor, schema)
    for table in ("staged_names", "staged_files", "staged_clips"):
        cursor.execute(f"DROP TABLE {table}")
    return clips, files, summarise_long(cursor, schema, names)


def _settle_clips(cursor: duckdb.DuckDBPyConnection, schema: str) -> tuple[int, int]:
    """Number recordings and clips in the order of their first rows; how many there are of each.

    Recordings first: a few thousand long names once, instead of one in each of millions of clips.
    """
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE staged_files AS SELECT CAST(row_number() OVER (ORDER BY min(row)) AS INTEGER) "
        "AS file, path FROM staging GROUP BY path"
    )
    with unordered(cursor):
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE staged_clips AS SELECT CAST(row_number() OVER (ORDER BY first) - 1 AS "
            'INTEGER) AS clip, file, "start", "end" FROM (SELECT file, "start", "end", min(row) AS first '
            "FROM staging JOIN staged_files USING (path) GROUP BY ALL)"
        )
    cursor.execute(
        f'CREATE TABLE {schema}.clips AS SELECT clip, path, "start", "end" '
        "FROM staged_clips JOIN staged_files USING (file) ORDER BY clip"
    )
    counted = cursor.execute("SELECT (SELECT count(*) FROM staged_clips), (SELECT count(*) FROM staged_files)")
    clips, files = counted.fetchone() or (0, 0)
    return clips, files


def _settle_scores(cursor: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Scores by class, the highest first. Bounds take part in the sorting only where there are some."""
    known = "SELECT 1 FROM staging WHERE low IS NOT NULL OR high IS NOT NULL LIMIT 1"
    bounds = "NULL::DOUBLE AS low, NULL::DOUBLE AS high" if cursor.execute(known).fetchone() is None else "low, high"
    sorted_bounds = ", staging.low, staging.high" if bounds == "low, high" else ""
    cursor.execute(
        f"CREATE TABLE {schema}.scores AS SELECT class, clip, score, row, {bounds} FROM ("
        f"SELECT labels.class, clips.clip, staging.score, staging.row{sorted_bounds} FROM staging "
        f"JOIN {schema}.labels AS labels USING (name) JOIN staged_files USING (path) "
        'JOIN staged_clips AS clips ON clips.file = staged_files.file AND clips."start" = staging."start" '
        'AND clips."end" = staging."end" ORDER BY labels.class, staging.score DESC, staging.row)'
    )


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
