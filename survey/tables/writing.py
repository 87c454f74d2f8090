"""Writing scores for other programs: what all formats share.

What lives here: the rows that formats write, refusing what a format cannot carry, files written whole or not at all.
What must not: any format's columns (each format's file has a `write`).

Every `write` gets a cursor on which `export_rows` can be selected from:

    row, path, parent, folder, file, start, end, name, common, score, low, high

one row per score in the order of the table; `parent`, `folder` and `file` are the parts of `path`.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from rpc.errors import RequestFailed, from_os_error
from survey import atomic
from survey.database import literal, translated_errors

_BATCH = 10_000


@contextlib.contextmanager
def written(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place at the end.

    Raises
    ------
    RequestFailed
        `path` exists and may not be replaced, or its folder does not exist.
    DiskFull, PermissionRefused
    """
    refuse_existing([path], overwrite=overwrite)
    with atomic.written_aside(path) as aside, translated_errors(path):
        yield aside


def refuse_existing(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Raise when one of `paths` exists, unless it may be replaced; a folder, a pipe or a device may not."""
    for path in paths:
        if path.is_dir():
            raise RequestFailed(f"{path} is a folder.", path=path, hint="Give the name of a file.")
        if path.exists() and not path.is_file():
            message = f"{path} is no ordinary file, but a pipe or a device."
            raise RequestFailed(message, path=path, hint="Choose another name.")
        if path.exists() and not overwrite:
            raise RequestFailed(f"{path} exists already.", path=path, hint="Choose another name, or allow overwriting.")


def copy_csv(cursor: duckdb.DuckDBPyConnection, query: str, names: Sequence[str], path: Path) -> int:
    """Write the rows of `query` as CSV under a header of our own; how many they are.

    DuckDB's own header would number names that differ only in case.
    """
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(names)
    options = f"FORMAT csv, HEADER false, PREFIX {literal(header.getvalue())}, SUFFIX '\n'"
    copied = cursor.execute(f"COPY ({query}) TO {literal(str(path))} ({options})").fetchone()
    return copied[0] if copied else 0


def write_lines(
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    line_of: Callable[[tuple[Any, ...]], str],
    path: Path,
    header: str = "",
) -> int:
    """Write a line of text for each row of `query`; how many they are."""
    count = 0
    found = cursor.execute(query)
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(header)
            while rows := found.fetchmany(_BATCH):
                file.writelines(map(line_of, rows))
                count += len(rows)
    except OSError as error:
        raise from_os_error(error, path, "write") from error
    return count


def refuse_texts(cursor: duckdb.DuckDBPyConnection, column: str, condition: str, why: str) -> None:
    """Raise when some text in `column` of the rows fits `condition`, naming the first: `why` says what is wrong."""
    query = f"SELECT {column} FROM export_rows WHERE {condition} LIMIT 1"
    refuse_first(cursor.execute(query).fetchone(), why)


def refuse_first(row: tuple[Any, ...] | None, why: str) -> None:
    """Raise when there is such a row."""
    if row is not None:
        raise RequestFailed(f"{row[0]!r} {why}", hint="Rename it, or choose another format, parquet for example.")
