"""OpenSoundscape's table, which Dipper writes too: a row per clip, a column per class.

    file,start_time,end_time,Catharus fuscescens,Setophaga pusilla
    /data/site1/S1_20240512_053000.WAV,0.0,5.0,-3.21,1.87
    /data/site1/bad.WAV,,,,

What lives here: recognising, reading and writing that form, and the simpler one without times, where a row stands for
a whole file (times 0 and 0). What must not: how the file's text is read (sources.py).

Columns are matched by name, in any order. A recording that could not be read has empty times. Scores are what
the model gave, often logits; nothing assumes 0..1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from rpc.errors import FormatUnknown
from schemas.scores import RowProblem, TableFormat
from survey.tables.canonical import (
    MAX_WIDE,
    Document,
    Target,
    drop_unusable_clips,
    line_of,
    refuse_duplicates,
    refuse_header_alone,
    some_names,
)
from survey.tables.loading import Loading
from survey.tables.long import fill_from_wide
from survey.tables.sniff import ABSENT
from survey.tables.sources import Source, TextSource
from survey.tables.unordered import absent_in, fill_clips, is_large
from survey.tables.wide import WIDE_STAGING, roomy, unordered, wide_document
from survey.tables.writing import copy_csv, refuse_first, write_csv_rows, written

FILE, START, END = "file", "start_time", "end_time"
_CELL_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the columns are, by position. `start` and `end` are None where rows stand for whole files."""

    file: int
    start: int | None
    end: int | None
    classes: tuple[int, ...]
    ignored: tuple[int, ...]


def recognise(source: Source) -> Columns | None:
    """The columns of a dense table with times; None when it is none."""
    by_name = {name.lower(): index for index, name in reversed(list(enumerate(source.columns)))}
    if not {FILE, START, END} <= by_name.keys():
        return None
    keys = (by_name[FILE], by_name[START], by_name[END])
    return Columns(*keys, *_classes_and_others(source, set(keys)))


def recognise_simple(source: Source) -> Columns | None:
    """The columns of a table without times: `file` (or the first column) and nothing but numbers beside it."""
    file = next((index for index, name in enumerate(source.columns) if name.lower() == FILE), 0)
    if source.is_number(file):
        return None
    classes, ignored = _classes_and_others(source, {file})
    if source.columns[file].lower() == FILE:  # in so clear a table, a column that is half numbers has bad cells
        classes = tuple(sorted((*classes, *(index for index in ignored if source.is_number(index, half=True)))))
        ignored = tuple(index for index in ignored if index not in classes)
    return Columns(file, None, None, classes, ()) if classes and not ignored else None


def _classes_and_others(source: Source, keys: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Columns of numbers with a name are classes. A column without one is the index that pandas writes."""
    others = [index for index in range(len(source.columns)) if index not in keys]
    named = [index for index in others if source.columns[index] and not source.columns[index].startswith("Unnamed: ")]
    classes = tuple(index for index in named if source.is_number(index))
    return classes, tuple(index for index in named if index not in classes)


def read(
    cursor: duckdb.DuckDBPyConnection, target: Target, source: Source, columns: Columns, loading: Loading
) -> Document:
    """Fill `target` from `source`.

    Raises
    ------
    FormatUnknown
        There is no column of numbers, a class is named twice, or no row can be read.
    sources.NotUtf8
        The text must be read again, as Latin-1.
    """
    names = tuple(source.columns[index] for index in columns.classes)
    if not names:
        raise _no_numbers(source, columns)
    refuse_duplicates(source, names)
    wide = len(names) <= MAX_WIDE
    fill = _fill_wide if wide else _fill_staging
    problems = fill(cursor, target.schema, source, columns, loading)
    format: TableFormat = "opensoundscape" if columns.start is not None else "simple"
    if wide:
        document = wide_document(cursor, target, names, format, ())
    else:
        document = fill_from_wide(cursor, target, names, (format, "dense"), loading, 0.4)
    if not document.clips and not problems:
        refuse_header_alone(source.path, source.columns)
    if not document.clips:
        first = f"Row {problems[0].row}: {problems[0].message}"
        raise FormatUnknown(f"No row of {source.path.name} could be read. {first}", path=source.path)
    return document.with_problems((*ignored(source, columns), *problems))


def _no_numbers(source: Source, columns: Columns) -> FormatUnknown:
    """That no class has scores, with the first cell that is none."""
    if isinstance(source, TextSource) and not source.sample:
        refuse_header_alone(source.path, source.columns)
    message = f"{source.path.name} holds no column of numbers, so no class has scores."
    cells = ((row, index) for row, cells in enumerate(source.sample) for index in columns.ignored if index < len(cells))
    for row, index in cells:
        if source.sample[row][index].strip() not in ABSENT:
            where = f"row {line_of(source, row)}, column `{source.columns[index]}`"
            message += f" In {where}, it reads {source.sample[row][index][:_CELL_SHOWN]!r}."
            break
    hint = f"Its columns are {some_names(source.columns)}. Every class needs one of numbers, like 0.87 or -3.2."
    return FormatUnknown(message, path=source.path, hint=hint)


def _fill_wide(
    cursor: duckdb.DuckDBPyConnection, schema: str, source: Source, columns: Columns, loading: Loading
) -> list[RowProblem]:
    scores = ", ".join(f"c{index} AS s{number}" for number, index in enumerate(columns.classes))
    if isinstance(source, TextSource) and is_large(source):
        relation = source.relation(_numbers(columns), absent_in(source))
        problems = fill_clips(cursor, schema, source, relation, _keys(columns), scores, loading)
        if problems is not None:
            return problems
    loading.stage(0.9)
    ordered = contextlib.nullcontext() if isinstance(source, TextSource) else unordered(cursor)
    with ordered:
        cursor.execute(f"CREATE TABLE {schema}.clips AS {selection(source, columns, scores)}")
    return drop_unusable_clips(cursor, f"{schema}.clips", source, source.problems(cursor))


def _fill_staging(
    cursor: duckdb.DuckDBPyConnection, schema: str, source: Source, columns: Columns, loading: Loading
) -> list[RowProblem]:
    scores = f"[{', '.join(f'c{index}' for index in columns.classes)}] AS scores"
    loading.stage(0.6)
    with roomy(cursor):
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE {WIDE_STAGING} AS {selection(source, columns, scores)}")
    return drop_unusable_clips(cursor, WIDE_STAGING, source, source.problems(cursor))


def selection(source: Source, columns: Columns, scores: str) -> str:
    """A query for row, path, start, end, and `scores`, which are columns of the source."""
    relation = source.numbered(_numbers(columns))
    return f"SELECT CAST(row AS BIGINT) AS row, {_keys(columns)}, {scores} FROM {relation}"


def _numbers(columns: Columns) -> set[int]:
    return {index for index in (columns.start, columns.end, *columns.classes) if index is not None}


def _keys(columns: Columns) -> str:
    """Recording and times; without times the whole file, from 0 to 0."""
    start, end = ("0.0::DOUBLE" if index is None else f"c{index}" for index in (columns.start, columns.end))
    return f'c{columns.file} AS path, {start} AS "start", {end} AS "end"'


def ignored(source: Source, columns: Columns) -> tuple[RowProblem, ...]:
    """That columns were left out."""
    return tuple(
        RowProblem(row=0, message=f"The column `{source.columns[index]}` holds no numbers and was left out.")
        for index in columns.ignored
    )


def write(
    cursor: duckdb.DuckDBPyConnection, queries: Iterable[str], classes: Sequence[str], path: Path, *, overwrite: bool
) -> int:
    """Write OpenSoundscape's table; how many clips. `queries` give path, start, end, and a column per class.

    Raises
    ------
    RequestFailed
        A class has a name that is no column's.
    """
    _refuse_names(classes)
    with written(path, overwrite=overwrite) as aside:
        return copy_csv(cursor, queries, (FILE, START, END, *classes), aside)


def write_rows(rows: Iterable[Sequence[object]], classes: Sequence[str], path: Path, *, overwrite: bool) -> int:
    """As `write`, from rows of path, start, end, and a score or "" per class: for thousands of columns.

    Raises
    ------
    RequestFailed
        A class has a name that is no column's.
    """
    _refuse_names(classes)
    with written(path, overwrite=overwrite) as aside:
        return write_csv_rows(rows, (FILE, START, END, *classes), aside)


def _refuse_names(classes: Sequence[str]) -> None:
    taken = {FILE, START, END, ""}
    odd = (name for name in classes if name != name.strip() or name.lower() in taken or name.startswith("Unnamed: "))
    refuse_first(next(((name,) for name in odd), None), "cannot be the name of a column of scores.")
