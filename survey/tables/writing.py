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
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import duckdb

from rpc.errors import OutOfMemory, RequestCancelled, RequestFailed, from_os_error
from survey import atomic
from survey.database import literal, translated_errors

REPLACEABLE = frozenset({".csv", ".tsv", ".txt", ".parquet"})
"""The endings of tables and labels: other files are never replaced, for nobody means to write scores over a WAV."""

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
    atomic.sweep_abandoned(path.parent)
    with atomic.written_aside(path, anew=not overwrite) as aside, translated_errors(path), _stopped(path):
        yield aside


@contextlib.contextmanager
def written_together(folder: Path, names: Iterable[str], *, overwrite: bool) -> Iterator[Mapping[str, Path]]:
    """As `written` for several files in `folder`, which is made: a path to write to for each of `names`.

    Until all of them are written none takes its place; then they all do.
    """
    paths = {name: folder / name for name in names}
    refuse_existing(paths.values(), overwrite=overwrite)
    atomic.sweep_abandoned(folder)
    asides = {name: atomic.aside_of(path) for name, path in paths.items()}
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        with translated_errors(folder), _stopped(folder):
            yield asides
        for aside in asides.values():
            atomic.flush_file(aside)
        for name, aside in asides.items():
            _place(aside, paths[name], overwrite=overwrite)
        atomic.flush_folder(folder)
    except OSError as error:
        raise from_os_error(error, folder, "write into") from error
    finally:
        _clear_away(asides.values(), folder if made else None)


def _place(aside: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        aside.replace(path)
    else:
        atomic.place_anew(aside, path)


def _clear_away(asides: Iterable[Path], folder: Path | None) -> None:
    """Remove what was written aside, and the folder if it is empty."""
    with contextlib.suppress(OSError):
        for aside in asides:
            aside.unlink(missing_ok=True)
        if folder is not None:
            folder.rmdir()


@contextlib.contextmanager
def _stopped(path: Path) -> Iterator[None]:
    """What DuckDB raises that has nothing to do with the disk."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise RequestCancelled from error
    except duckdb.OutOfMemoryException as error:
        raise OutOfMemory(
            f"There is not enough memory to write {path}.", path=path, hint="Choose a class or a range of scores."
        ) from error


def refuse_existing(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Raise when one of `paths` exists, unless it may be replaced: a table, that is, and no folder, WAV or pipe."""
    for path in paths:
        if path.is_dir():
            raise RequestFailed(f"{path} is a folder.", path=path, hint="Give the name of a file.")
        if path.exists() and not path.is_file():
            message = f"{path} is no ordinary file, but a pipe or a device."
            raise RequestFailed(message, path=path, hint="Choose another name.")
        if path.exists() and not overwrite:
            raise RequestFailed(f"{path} exists already.", path=path, hint="Choose another name, or allow overwriting.")
        if path.exists() and path.suffix.lower() not in REPLACEABLE:
            endings = ", ".join(sorted(REPLACEABLE))
            raise RequestFailed(
                f"{path} exists already, and by its name it is no table ({endings}), so it is not replaced.",
                path=path,
                hint="Choose another name.",
            )


def copy_csv(cursor: duckdb.DuckDBPyConnection, queries: Iterable[str], names: Sequence[str], path: Path) -> int:
    """Write the rows of `queries`, one after the other, as CSV under a header of our own; how many they are.

    DuckDB's own header would number names that differ only in case.
    """
    count = 0
    body = path.with_name(path.name.replace(atomic.ASIDE_SUFFIX, f".body{atomic.ASIDE_SUFFIX}"))
    try:
        with path.open("wb") as whole:
            whole.write(_csv_line(names).encode("utf-8"))
            for query in queries:
                copied = cursor.execute(f"COPY ({query}) TO {literal(str(body))} (FORMAT csv, HEADER false)").fetchone()
                count += copied[0] if copied else 0
                with body.open("rb") as rows:
                    shutil.copyfileobj(rows, whole)
    finally:
        body.unlink(missing_ok=True)
    return count


def write_csv_rows(rows: Iterable[Sequence[object]], names: Sequence[str], path: Path) -> int:
    """Write rows as CSV, numbers in full; how many they are."""
    count = 0
    with open_text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def write_lines(
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    line_of: Callable[[tuple[Any, ...]], str],
    path: Path,
    header: str = "",
) -> int:
    """Write a line of text for each row of `query`; how many they are."""
    count = 0
    with open_text(path) as file:
        file.write(header)
        for row in rows_of(cursor, query):
            file.write(line_of(row))
            count += 1
    return count


def open_text(path: Path) -> TextIO:
    """A new text file: UTF-8, line ends as they are given."""
    return path.open("w", encoding="utf-8", newline="")


def rows_of(cursor: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of `query`, fetched some at a time."""
    found = cursor.execute(query)
    while rows := found.fetchmany(_BATCH):
        yield from rows


def refuse_texts(cursor: duckdb.DuckDBPyConnection, column: str, condition: str, why: str) -> None:
    """Raise when some text in `column` of the rows fits `condition`, naming the first: `why` says what is wrong."""
    query = f"SELECT {column} FROM export_rows WHERE {condition} LIMIT 1"
    refuse_first(cursor.execute(query).fetchone(), why)


def refuse_first(row: tuple[Any, ...] | None, why: str) -> None:
    """Raise when there is such a row."""
    if row is not None:
        raise RequestFailed(f"{row[0]!r} {why}", hint="Rename it, or choose another format, parquet for example.")
