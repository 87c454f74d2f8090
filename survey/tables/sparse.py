"""Our own sparse table: a row per score, only for scores worth keeping.

    file,start_time,end_time,class,score
    /data/a.wav,0.0,3.0,Setophaga pusilla,0.87

What lives here: recognising and reading that form, as text or Parquet, and the part of it that other sparse
sources share. What must not: a job's folder (job.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from rpc.errors import FormatUnknown
from schemas.scores import ClassSummary, RowProblem, TableFormat
from survey.tables.canonical import TableContent, drop_unusable_scores, summarise_sparse
from survey.tables.sources import Source

NAMES = ("file", "start_time", "end_time", "class", "score")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the columns are, by position."""

    file: int
    start: int
    end: int
    name: int
    score: int


def recognise(source: Source) -> Columns | None:
    """The columns of a sparse table; None when it is none."""
    by_name = {name.lower(): index for index, name in reversed(list(enumerate(source.columns)))}
    if not set(NAMES) <= by_name.keys():
        return None
    columns = Columns(*(by_name[name] for name in NAMES))
    return columns if source.is_number(columns.score) and not source.is_number(columns.name) else None


def read(cursor: duckdb.DuckDBPyConnection, schema: str, source: Source, columns: Columns) -> TableContent:
    """Fill `schema` (canonical.py) from `source`.

    Raises
    ------
    FormatUnknown
        No row can be read.
    sources.NotUtf8
        The text must be read again, as Latin-1.
    """
    create_staging(cursor)
    fill_staging(cursor, source, columns)
    problems = drop_unusable_scores(cursor, "staging", source.problems(cursor))
    clips, files, classes = settle(cursor, schema, ())
    if not clips:
        first = f" Row {problems[0].row}: {problems[0].message}" if problems else ""
        raise FormatUnknown(f"No row of {source.path.name} could be read.{first}", path=source.path)
    return content_of("sparse", clips, files, classes, problems)


def create_staging(cursor: duckdb.DuckDBPyConnection) -> None:
    """The rows as they come, before clips and classes get their numbers."""
    cursor.execute(
        'CREATE OR REPLACE TEMP TABLE staging (row BIGINT, path VARCHAR, "start" DOUBLE, "end" DOUBLE, '
        "name VARCHAR, score DOUBLE)"
    )


def fill_staging(cursor: duckdb.DuckDBPyConnection, source: Source, columns: Columns, first_row: int = 0) -> int:
    """Append the rows of `source`; how many there are now, all sources together."""
    relation = source.relation({columns.start, columns.end, columns.score})
    cursor.execute(
        f"INSERT INTO staging SELECT {first_row} + row_number() OVER () - 1, c{columns.file}, c{columns.start}, "
        f"c{columns.end}, c{columns.name}, c{columns.score} FROM {relation}"
    )
    counted = cursor.execute("SELECT count(*) FROM staging").fetchone()
    return int(counted[0]) if counted else 0


def settle(
    cursor: duckdb.DuckDBPyConnection, schema: str, names: tuple[str, ...]
) -> tuple[int, int, tuple[ClassSummary, ...]]:
    """From staging to clips and scores; how many clips and files with scores there are, and the classes.

    `names` gives the order of the classes, where it is known; otherwise they come in the order of their rows.
    """
    if not names:
        query = "SELECT name FROM staging WHERE name IS NOT NULL GROUP BY name ORDER BY min(row)"
        names = tuple(row[0] for row in cursor.execute(query).fetchall())
    cursor.execute("CREATE OR REPLACE TEMP TABLE class_names (class INTEGER, name VARCHAR)")
    cursor.execute("INSERT INTO class_names SELECT generate_subscripts($1, 1) - 1, unnest($1)", [list(names)])
    cursor.execute(
        f"CREATE TABLE {schema}.clips AS SELECT CAST(row_number() OVER (ORDER BY first) - 1 AS BIGINT) AS clip, path, "
        '"start", "end" FROM (SELECT path, "start", "end", min(row) AS first FROM staging GROUP BY ALL)'
    )
    cursor.execute(
        f"CREATE TABLE {schema}.scores AS SELECT class_names.class, clips.clip, staging.score, staging.row "
        f"FROM staging JOIN class_names USING (name) "
        f'JOIN {schema}.clips AS clips USING (path, "start", "end") '
        "ORDER BY class_names.class, staging.score DESC, staging.row"
    )
    cursor.execute("DROP TABLE staging")
    counted = cursor.execute(f"SELECT count(*), count(DISTINCT path) FROM {schema}.clips").fetchone()
    clips, files = counted or (0, 0)
    return clips, files, summarise_sparse(cursor, schema, names)


def content_of(
    kind: TableFormat, clips: int, files: int, classes: tuple[ClassSummary, ...], problems: list[RowProblem]
) -> TableContent:
    """The content of a sparse table."""
    return TableContent(
        format=kind, layout="sparse", clip_count=clips, file_count=files, classes=classes, problems=tuple(problems)
    )
