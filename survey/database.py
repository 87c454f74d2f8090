"""DuckDB as both interpreters use it: bounded, in memory, its errors turned into ours.

What lives here: connections, quoting, errors. What must not: any table.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb

from rpc.errors import RequestFailed, from_os_error

_ERRNO_OF_WORDS = {
    "no space left": errno.ENOSPC,
    "disk full": errno.ENOSPC,
    "quota exceeded": errno.EDQUOT,
    "permission denied": errno.EACCES,
    "operation not permitted": errno.EPERM,
    "read-only file system": errno.EROFS,
    "no such file": errno.ENOENT,
    "file too large": errno.EFBIG,
}


@contextlib.contextmanager
def database(
    memory_limit: str = "512MB", spill: Path | None = None, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own that uses at most `memory_limit`; what does not fit goes to the folder `spill`.

    Each of its `threads` (None: as many as there are processors) holds a block of every column.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if threads is not None:
        settings["threads"] = threads
    if spill is not None:
        settings["temp_directory"] = str(spill)
    connection = duckdb.connect(":memory:", config=settings)
    try:
        yield connection
    finally:
        connection.close()


def quote(name: str) -> str:
    """`name` as a column name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a string in SQL."""
    return "'" + text.replace("'", "''") + "'"


@contextlib.contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Raise what DuckDB met while writing `path` as the leaf of our tree that fits."""
    try:
        yield
    except duckdb.Error as error:
        text = str(error).lower()
        number = next((number for words, number in _ERRNO_OF_WORDS.items() if words in text), None)
        if number is None:
            raise RequestFailed(f"Cannot write {path}: {error}", path=path) from error
        raise from_os_error(_os_error(number), path, "write") from error
    except OSError as error:
        raise from_os_error(error, path, "write") from error


def _os_error(number: int) -> OSError:
    # OSError itself picks the subclass that fits the number.
    return OSError(number, os.strerror(number))
