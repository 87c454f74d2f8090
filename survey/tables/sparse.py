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

from rpc.cancel import CancelToken
from rpc.errors import FormatUnknown
from schemas.scores import ClassSummary, RowProblem
from survey.database import literal
from survey.tables.canonical import (
    TableContent,
    add_labels,
    drop_unusable_scores,
    refuse_header_alone,
    summarise_long,
)
from survey.tables.meaning import Columns, Meaning
from survey.tables.sources import MAX_PROBLEMS, NotUtf8, Source, TextSource
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
    token: CancelToken,
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
        token.raise_if_cancelled()
        rows, found = _stage(cursor, source, meaning, rows)
        note = [RowProblem(row=0, message=meaning.note)] if meaning.note else []
        problems += [_named(problem, source) for problem in found] if named else [*note, *found]
        last = (source, meaning)
    assert last is not None
    source, meaning = last
    clips, files, classes = settle(cursor, schema, ())
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
    parts = (
        meaning.path, meaning.start, meaning.end, meaning.name, meaning.score,
        meaning.common, meaning.code, meaning.low, meaning.high,
    )  # fmt: skip
    relation = source.relation(meaning.numbers, absent=("",))
    cursor.execute(
        f"INSERT INTO staging SELECT * EXCLUDE (kept) FROM "
        f"(SELECT row, {', '.join(parts)}, {meaning.keep} AS kept FROM "
        f"(SELECT {first_row} + row_number() OVER () - 1 AS row, * FROM {relation}) "
        "WINDOW following AS (ORDER BY row)) WHERE kept"
    )
    counted = cursor.execute("SELECT max(row) FROM staging").fetchone()
    return first_row if counted is None or counted[0] is None else int(counted[0]) + 1


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
    cursor: duckdb.DuckDBPyConnection, schema: str, names: tuple[str, ...]
) -> tuple[int, int, tuple[ClassSummary, ...]]:
    """From staging to clips, scores and labels; how many clips and files with scores there are, and the classes.

    `names` gives the order of the classes, where it is known; otherwise they come in the order of their rows.
    """
    if not names:
        query = "SELECT name FROM staging WHERE name IS NOT NULL GROUP BY name ORDER BY min(row)"
        names = tuple(row[0] for row in cursor.execute(query).fetchall())
    add_labels(
        cursor, schema, names, "SELECT name, arg_min(common, row), arg_min(code, row) FROM staging GROUP BY name"
    )
    cursor.execute(
        f"CREATE TABLE {schema}.clips AS SELECT CAST(row_number() OVER (ORDER BY first) - 1 AS BIGINT) AS clip, path, "
        '"start", "end" FROM (SELECT path, "start", "end", min(row) AS first FROM staging GROUP BY ALL)'
    )
    cursor.execute(
        f"CREATE TABLE {schema}.scores AS SELECT labels.class, clips.clip, staging.score, staging.row, staging.low, "
        f"staging.high FROM staging JOIN {schema}.labels AS labels USING (name) "
        f'JOIN {schema}.clips AS clips USING (path, "start", "end") '
        "ORDER BY labels.class, staging.score DESC, staging.row"
    )
    cursor.execute("DROP TABLE staging")
    counted = cursor.execute(f"SELECT count(*), count(DISTINCT path) FROM {schema}.clips").fetchone()
    clips, files = counted or (0, 0)
    return clips, files, summarise_long(cursor, schema, names)


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
