"""A folder of dense tables, one for each recording, joined: a clip has no score of a class that its table lacks.

What lives here: joining. What must not: which files are tables (folder.py), reading one (opensoundscape.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec

from rpc.errors import FormatUnknown, RequestFailed
from schemas.scores import RowProblem, TableFormat
from survey.tables import opensoundscape
from survey.tables.canonical import MAX_WIDE, Document, Target, drop_unusable_clips, refuse_duplicates
from survey.tables.loading import Loading
from survey.tables.long import fill_from_wide
from survey.tables.opensoundscape import Columns
from survey.tables.sources import NotUtf8, Source, TextSource
from survey.tables.wide import WIDE_STAGING, roomy, wide_document

Recogniser = Callable[[Path], tuple[Source, Columns] | None]
Table = tuple[Source, Columns]


def read(
    cursor: duckdb.DuckDBPyConnection,
    target: Target,
    paths: tuple[Path, ...],
    recognise: Recogniser,
    loading: Loading,
) -> Document:
    """Fill `target` from all of `paths` that are dense tables, with times or all without, as the first.

    Raises
    ------
    FormatUnknown
        None is one, or no row of them can be read.
    RequestCancelled
        Between two tables.
    """
    problems: list[RowProblem] = []
    tables = _recognised(paths, recognise, problems, loading)
    if not tables:
        raise FormatUnknown(f"There are no tables of scores in {paths[0].parent}.", path=paths[0].parent)
    names = tuple(dict.fromkeys(name for source, columns in tables for name in _classes(source, columns)))
    wide = len(names) <= MAX_WIDE
    _create(cursor, target.schema, len(names), wide=wide)
    rows = 0
    for table in tables:
        loading.stage(0.9 / len(tables))
        rows, found = _add(cursor, target.schema, table, names, rows, wide=wide)
        problems += found
    format: TableFormat = "opensoundscape" if tables[0][1].start is not None else "simple"
    if wide:
        document = wide_document(cursor, target, names, format, ())
    else:
        document = fill_from_wide(cursor, target, names, (format, "dense"), loading, 0.1)
    if not document.clips:
        reason = problems[0].message if problems else "They hold a header, but no rows."
        raise FormatUnknown(f"No row of the tables in {paths[0].parent} could be read. {reason}", path=paths[0].parent)
    return document.with_problems(problems)


def _recognised(
    paths: tuple[Path, ...], recognise: Recogniser, problems: list[RowProblem], loading: Loading
) -> list[Table]:
    """The tables that can be joined; why others are left out goes to `problems`."""
    tables: list[Table] = []
    for path in paths:
        loading.token.raise_if_cancelled()
        try:
            found = recognise(path)
            if found is not None:
                refuse_duplicates(found[0], _classes(*found))
        except RequestFailed as error:
            problems.append(RowProblem(row=0, message=f"{path.name} was left out: {error.message}"))
            continue
        if found is None or not found[1].classes:
            problems.append(RowProblem(row=0, message=f"{path.name} was left out: its columns fit no format."))
        elif tables and (found[1].start is None) != (tables[0][1].start is None):
            few = "has no times, the others have" if found[1].start is None else "has times, the others have none"
            problems.append(RowProblem(row=0, message=f"{path.name} was left out: it {few}."))
        else:
            tables.append(found)
    return tables


def _classes(source: Source, columns: Columns) -> tuple[str, ...]:
    return tuple(source.columns[index] for index in columns.classes)


def _create(cursor: duckdb.DuckDBPyConnection, schema: str, count: int, *, wide: bool) -> None:
    scores = "".join(f", s{index} DOUBLE" for index in range(count)) if wide else ", scores DOUBLE[]"
    kind, table = ("TABLE", f"{schema}.clips") if wide else ("TEMP TABLE", WIDE_STAGING)
    cursor.execute(f'CREATE OR REPLACE {kind} {table} (row BIGINT, path VARCHAR, "start" DOUBLE, "end" DOUBLE{scores})')


def _add(
    cursor: duckdb.DuckDBPyConnection, schema: str, table: Table, names: tuple[str, ...], first: int, *, wide: bool
) -> tuple[int, list[RowProblem]]:
    """Append a table, its rows numbered from `first`; the number that the next row will have, and what was wrong."""
    source, columns = table
    places = {name: number for number, name in enumerate(names)}
    cells = {places[name]: f"c{index}" for name, index in zip(_classes(*table), columns.classes, strict=True)}
    if wide:
        scores = ", ".join(f"{cell} AS s{number}" for number, cell in cells.items())
    else:
        scores = f"[{', '.join(cells.get(number, 'NULL') for number in range(len(names)))}]::DOUBLE[] AS scores"
    with roomy(cursor):
        try:
            rejected = _stage(cursor, source, columns, scores)
        except NotUtf8:
            assert isinstance(source, TextSource)
            source = source.as_latin1()
            rejected = _stage(cursor, source, columns, scores)
        problems = drop_unusable_clips(cursor, "one_table", source, rejected)
        target = f"{schema}.clips" if wide else WIDE_STAGING
        numbered = f"SELECT * REPLACE (row + {first} AS row) FROM one_table"
        cursor.execute(f"INSERT INTO {target} BY NAME {numbered}")
    counted = cursor.execute("SELECT max(row) FROM one_table").fetchone()
    last = -1 if counted is None or counted[0] is None else int(counted[0])
    told = (*opensoundscape.ignored(source, columns), *problems)
    named = [msgspec.structs.replace(one, message=f"{source.path.name}: {one.message}") for one in told]
    return first + last + 1, named


def _stage(cursor: duckdb.DuckDBPyConnection, source: Source, columns: Columns, scores: str) -> list[RowProblem]:
    query = opensoundscape.selection(source, columns, scores)
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE one_table AS {query}")
    return source.problems(cursor)
