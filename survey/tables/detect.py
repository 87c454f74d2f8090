"""Which format a path holds, decided from its content, and its reading.

What lives here: the order in which formats are asked. What must not: any format's columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import duckdb

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, FormatUnknown
from schemas.scores import TableFormat
from survey.tables import job, opensoundscape, sparse
from survey.tables.canonical import TableContent
from survey.tables.sniff import kind_of, sniff_text
from survey.tables.sources import NotUtf8, ParquetSource, Source, TextSource

Wanted = Literal["auto"] | TableFormat
_SHOWN_COLUMNS = 12


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
    folder = job.scores_folder_of(path)
    if folder is None:
        raise FormatUnknown(f"{path} is a folder, but not that of a job: it holds no scores.", path=path)
    failures = folder.parent / "failures.csv"
    return (*sorted(folder.glob("part-*.parquet")), *((failures,) if failures.exists() else ()))


def read_table(
    cursor: duckdb.DuckDBPyConnection, schema: str, path: Path, wanted: Wanted, token: CancelToken
) -> TableContent:
    """Read the table at `path`, of the format `wanted` or of whichever fits, into `schema` (canonical.py).

    Raises
    ------
    FormatUnknown
        None fits, with the columns found; or nothing in it can be read.
    FileMissing, PermissionRefused, RequestCancelled
    """
    folder = job.scores_folder_of(path) if path.is_dir() else None
    if folder is not None and wanted in ("auto", "job"):
        return job.read(cursor, schema, folder, token)
    if wanted == "job" or path.is_dir():
        raise FormatUnknown(f"{path} is not the folder of a job.", path=path)
    source = _source(path, cursor)
    try:
        return _read_columns(cursor, schema, source, wanted)
    except NotUtf8:
        assert isinstance(source, TextSource)
        cursor.execute(f"DROP TABLE IF EXISTS {schema}.clips")
        return _read_columns(cursor, schema, source.as_latin1(), wanted)


def _source(path: Path, cursor: duckdb.DuckDBPyConnection) -> Source:
    kind = kind_of(path)
    return ParquetSource((path,), cursor) if kind == "parquet" else TextSource(sniff_text(path, kind))


def _read_columns(cursor: duckdb.DuckDBPyConnection, schema: str, source: Source, wanted: Wanted) -> TableContent:
    if wanted in ("auto", "sparse") and (long := sparse.recognise(source)) is not None:
        return sparse.read(cursor, schema, source, long)
    if wanted in ("auto", "opensoundscape") and (wide := opensoundscape.recognise(source)) is not None:
        return opensoundscape.read(cursor, schema, source, wide)
    if wanted in ("auto", "simple") and (plain := opensoundscape.recognise_simple(source)) is not None:
        return opensoundscape.read(cursor, schema, source, plain)
    raise _unknown(source, wanted)


def _unknown(source: Source, wanted: Wanted) -> FormatUnknown:
    shown = ", ".join(f"`{name}`" for name in source.columns[:_SHOWN_COLUMNS])
    more = f" and {len(source.columns) - _SHOWN_COLUMNS} more" if len(source.columns) > _SHOWN_COLUMNS else ""
    which = "no format of score tables that is known" if wanted == "auto" else f"the format `{wanted}`"
    return FormatUnknown(
        f"The columns of {source.path.name} do not fit {which}. It has {shown}{more}.",
        path=source.path,
        hint="OpenSoundscape's form has the columns file, start_time, end_time, and one column of numbers per class.",
    )
