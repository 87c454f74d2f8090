"""Which format a path holds, decided from its content, and its reading.

What lives here: the order in which formats are asked. What must not: any format's columns.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import duckdb

from rpc.errors import FileMissing, FormatUnknown
from schemas.scores import TableFormat
from survey.tables import (
    audacity,
    birdnet,
    chirpity,
    dense_folder,
    folder,
    job,
    kaleidoscope,
    opensoundscape,
    raven,
    sparse,
)
from survey.tables.canonical import Document, Target, refuse_header_alone, some_names
from survey.tables.loading import Loading
from survey.tables.meaning import Meaning
from survey.tables.opensoundscape import Columns
from survey.tables.sniff import kind_of, sniff_text
from survey.tables.sources import NotUtf8, ParquetSource, Source, TextSource

Wanted = Literal["auto"] | TableFormat

_SPARSE: dict[TableFormat, Callable[[Source], Meaning | None]] = {
    "sparse": sparse.recognise,
    "birdnet": birdnet.recognise,
    "birdnet-raven": birdnet.recognise_raven,
    "raven": raven.recognise,
    "kaleidoscope": kaleidoscope.recognise,
    "chirpity": chirpity.recognise,
}
"""Formats with a row per score, in the order in which they are tried: what is more particular comes first."""


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that decide what the table at `path` holds: when none of them changed, neither did the table.

    Raises
    ------
    FileMissing
        There is nothing at `path`.
    FormatUnknown
        It is a folder that holds no scores.
    """
    if not path.exists():
        raise FileMissing(f"There is no file or folder {path}.", path=path)
    if not path.is_dir():
        return (path,)
    scores = job.scores_folder_of(path)
    if scores is not None:
        failures = scores.parent / "failures.csv"
        return (*sorted(scores.glob("part-*.parquet")), *((failures,) if failures.exists() else ()))
    tables = folder.tables_in(path)
    if not tables:
        raise FormatUnknown(f"{path} is a folder, but neither that of a job nor one with tables of scores.", path=path)
    return tables


def read_table(cursor: duckdb.DuckDBPyConnection, target: Target, wanted: Wanted, loading: Loading) -> Document:
    """Read the table at the target's path, of the format `wanted` or of whichever fits.

    Raises
    ------
    FormatUnknown
        None fits, with the columns found; or nothing in it can be read.
    FileMissing, PermissionRefused, RequestCancelled
    """
    path = target.path
    scores = job.scores_folder_of(path) if path.is_dir() else None
    if scores is not None and wanted in ("auto", "job"):
        return job.read(cursor, target, scores, loading)
    if wanted == "job":
        raise FormatUnknown(f"{path} is not the folder of a job.", path=path)
    if path.is_dir():
        return _read_folder(cursor, target, wanted, loading)
    source = _source(path, cursor)
    meaning = _sparse_meaning(source, wanted)
    if meaning is not None and isinstance(source, ParquetSource):
        return sparse.read_parquet(cursor, target, source, meaning, loading)
    if meaning is not None:
        return sparse.read(cursor, target, [(source, meaning)], loading)
    return _read_dense(cursor, target, source, wanted, loading)


def _read_folder(cursor: duckdb.DuckDBPyConnection, target: Target, wanted: Wanted, loading: Loading) -> Document:
    path = target.path
    document = folder.read(cursor, target, path, lambda file: _recognise_sparse(file, wanted, cursor), loading)
    if document is not None:
        return document
    tables = folder.tables_in(path)
    return dense_folder.read(cursor, target, tables, lambda file: _recognise_dense(file, wanted, cursor), loading)


def _recognise_sparse(path: Path, wanted: Wanted, cursor: duckdb.DuckDBPyConnection) -> tuple[Source, Meaning] | None:
    source = _source(path, cursor)
    meaning = _sparse_meaning(source, wanted)
    return None if meaning is None else (source, meaning)


def _recognise_dense(path: Path, wanted: Wanted, cursor: duckdb.DuckDBPyConnection) -> tuple[Source, Columns] | None:
    source = _source(path, cursor)
    columns = _dense_columns(source, wanted)
    return None if columns is None else (source, columns)


def _source(path: Path, cursor: duckdb.DuckDBPyConnection) -> Source:
    kind = kind_of(path)
    if kind == "parquet":
        return ParquetSource((path,), cursor)
    table = sniff_text(path, kind)
    return TextSource(table.without_header() if audacity.is_labels(table) else table)


def _sparse_meaning(source: Source, wanted: Wanted) -> Meaning | None:
    if isinstance(source, TextSource) and not source.table.has_header:
        return audacity.meaning_of(source) if wanted in ("auto", "audacity") else None
    asked = (recognise for kind, recognise in _SPARSE.items() if wanted in ("auto", kind))
    return next((meaning for recognise in asked if (meaning := recognise(source)) is not None), None)


def _dense_columns(source: Source, wanted: Wanted) -> Columns | None:
    columns = opensoundscape.recognise(source) if wanted in ("auto", "opensoundscape") else None
    if columns is None and wanted in ("auto", "simple"):
        columns = opensoundscape.recognise_simple(source)
    return columns


def _read_dense(
    cursor: duckdb.DuckDBPyConnection, target: Target, source: Source, wanted: Wanted, loading: Loading
) -> Document:
    columns = _dense_columns(source, wanted)
    if columns is None:
        raise _unknown(source, wanted)
    try:
        return opensoundscape.read(cursor, target, source, columns, loading)
    except NotUtf8:
        assert isinstance(source, TextSource)
        cursor.execute(f"DROP TABLE IF EXISTS {target.schema}.clips")
        return opensoundscape.read(cursor, target, source.as_latin1(), columns, loading)


def _unknown(source: Source, wanted: Wanted) -> FormatUnknown:
    if isinstance(source, TextSource) and not source.sample:
        refuse_header_alone(source.path, source.columns)
    which = "fit no format of score tables that is known" if wanted == "auto" else f"do not fit the format `{wanted}`"
    hint = "OpenSoundscape's form has the columns file, start_time, end_time, and one column of numbers per class."
    if wanted != "auto":
        hint = "Load it without naming a format: then its columns tell which it is."
    message = f"The columns of {source.path.name} {which}. It has {some_names(source.columns)}."
    return FormatUnknown(message, path=source.path, hint=hint)
