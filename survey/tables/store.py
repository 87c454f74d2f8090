"""Tables in their canonical form, kept as folders, so that the second opening of a table is instant.

What lives here: those folders, the one DuckDB instance that reads wide tables, its bounds. What must not: what is in a
folder (kept.py), how a table is read (detect.py).

A folder is made aside and gets its name when it is whole: who is killed meanwhile leaves nothing that could be taken
for a table.

A kept table is found by the path, size and mtime of every file that it was made of, so it is never stale. A
file that changed less than two seconds before it was read may change again without its mtime telling; what was
read from it is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from rpc.cancel import CancelToken
from rpc.errors import (
    DiskFull,
    FormatUnknown,
    InternalError,
    OutOfMemory,
    RequestCancelled,
    RequestFailed,
    from_os_error,
)
from survey import atomic
from survey.database import database, literal, translated_errors
from survey.tables.canonical import CANONICAL_VERSION, TableContent, Target
from survey.tables.detect import Wanted, files_of, read_table
from survey.tables.kept import WIDE_SCORES, KeptTable, read_kept, write_document
from survey.tables.loading import Loading, OnLoading, ignore_loading

MEMORY_LIMIT = "400MB"
BUILDING_LIMIT = "500MB"
"""What questions, and the one loading at a time, may take. DuckDB keeps to it but for some tens of megabytes."""
KEPT_BYTES = 8 << 30
_ROW_GROUP = 20_480
"""Rows that are packed together: few, for with hundreds of columns each thread holds that many in memory."""
_WAIT_SECONDS = 0.05
_SETTLED_NS = 2_000_000_000
_ENDING = ".table"
_ABANDONED_SECONDS = 24 * 3600.0

_Stamps = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table that can be asked: SQL finds the scores of a wide one under `schema`.

    `temporary`: it is deleted when it is closed.
    """

    schema: str
    kept: KeptTable
    temporary: bool

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.kept.folder

    @property
    def content(self) -> TableContent:
        """What it holds besides its rows."""
        return self.kept.document.content


class TableStore:
    """All tables of one process. Thread-safe; DuckDB starts with the first table."""

    def __init__(self, folder: Path, memory_limit: str = MEMORY_LIMIT) -> None:
        self._folder = folder
        self._memory_limit = memory_limit
        self._spill = self._new_spill()
        self._lock = threading.RLock()
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._open: dict[str, tuple[StoredTable, int]] = {}
        self._loading: dict[str, threading.Lock] = {}
        self._building = threading.Lock()

    def open(self, path: Path, wanted: Wanted, token: CancelToken, report: OnLoading = ignore_loading) -> StoredTable:
        """The table at `path`, from the kept file or read anew; `report` hears how far that is. Close it when done.

        Raises
        ------
        FileMissing, PermissionRefused, FormatUnknown, DiskFull, OutOfMemory, RequestCancelled
        """
        stamps = _stamps(path)
        key = _key(stamps, path, wanted)
        with self._one_at_a_time(key, token):
            kept = self._reopen(key)
            return (
                kept
                if kept is not None
                else self._build(key, stamps, path, wanted, Loading(token, sum(size for _, size, _ in stamps), report))
            )

    def close(self, table: StoredTable) -> None:
        """Let go of a table that `open` gave; once for each time it was opened."""
        with self._lock:
            key = next((key for key, (known, _) in self._open.items() if known == table), None)
            if key is None:
                return
            uses = self._open[key][1] - 1
            self._open[key] = (table, uses)
            if uses == 0:
                del self._open[key]
                self._detach(table)

    def close_all(self) -> None:
        """Let go of everything."""
        with self._lock:
            for table, _ in self._open.values():
                self._detach(table)
            self._open.clear()
            if self._engine is not None:
                self._engine.close()
                self._engine = None
        shutil.rmtree(self._spill, ignore_errors=True)

    def clear(self) -> int:
        """Delete every kept table that is not open here; how many bytes that freed."""
        with self._lock:
            in_use = {table.folder for table, _ in self._open.values()}
            unused = [folder for folder in self._folder.glob(f"*{_ENDING}") if folder not in in_use]
        freed = 0
        for folder in unused:
            with contextlib.suppress(OSError):
                size = _size_of(folder)
                shutil.rmtree(folder)
                freed += size
        return freed

    @contextlib.contextmanager
    def cursor(self, token: CancelToken | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one question; when `token` goes up, the query that runs on it ends.

        Raises
        ------
        RequestCancelled, OutOfMemory, DiskFull, RequestFailed
            What DuckDB met, as a leaf of our tree.
        """
        cursor = self._instance().cursor()
        try:
            with _explained(self._folder):
                if token is not None:
                    token.raise_if_cancelled()
                    token.on_cancel(lambda: _interrupt(cursor))
                yield cursor
        finally:
            cursor.close()

    def _instance(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._engine is None:
                self._make_folder()
                config: dict[str, str | bool | int | float | list[str]] = {
                    "memory_limit": self._memory_limit,
                    "temp_directory": str(self._spill),
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                }
                self._engine = duckdb.connect(":memory:", config=config)
            return self._engine

    def _started(self) -> None:
        """Have the instance. Who needs it hears what went wrong."""
        with contextlib.suppress(duckdb.Error, RequestFailed):
            self._instance()

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, self._folder, "keep tables in") from error
        _sweep(self._folder)

    @contextlib.contextmanager
    def _one_at_a_time(self, key: str, token: CancelToken) -> Iterator[None]:
        """Two requests for one table: the second waits and finds it kept."""
        with self._lock:
            lock = self._loading.setdefault(key, threading.Lock())
        with _acquired(lock, token):
            yield

    def _reopen(self, key: str) -> StoredTable | None:
        with self._lock:
            if key in self._open:
                table, uses = self._open[key]
                self._open[key] = (table, uses + 1)
                return table
        folder = self._folder / f"{key}{_ENDING}"
        if not folder.exists():
            return None
        try:
            table = self._attach(key, folder, temporary=False)
        except (duckdb.Error, RequestFailed, OSError, ValueError):  # damaged, or of another version of DuckDB
            shutil.rmtree(folder, ignore_errors=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(folder)  # the least recently used goes first
        return table

    def _build(self, key: str, stamps: _Stamps, path: Path, wanted: Wanted, loading: Loading) -> StoredTable:
        settled = all(mtime < time.time_ns() - _SETTLED_NS for _, _, mtime in stamps)
        self._make_folder()
        aside = self._folder / f".{key}.{secrets.token_hex(4)}.partial"
        try:
            with _acquired(self._building, loading.token), self._room_explained(path):
                aside.mkdir()
                self._read(Target(path, f"build_{secrets.token_hex(4)}", aside, self._new_spill()), wanted, loading)
            loading.token.raise_if_cancelled()
            if _stamps(path) != stamps:
                raise RequestFailed(f"{path.name} changed while it was being read.", path=path, hint="Load it again.")
            folder = self._folder / f"{key if settled else secrets.token_hex(16)}{_ENDING}"
            _place(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        _sweep(self._folder)
        return self._attach(key, folder, temporary=not settled)

    def _read(self, target: Target, wanted: Wanted, loading: Loading) -> None:
        """Read a table into the target's folder."""
        database_file = target.folder / WIDE_SCORES
        try:
            with self._builder(loading) as cursor, _explained(target.path):
                cursor.execute(f"ATTACH {literal(str(database_file))} AS {target.schema} (ROW_GROUP_SIZE {_ROW_GROUP})")
                try:
                    document = read_table(cursor, target, wanted, loading)
                    if document.content.wide:  # it will be needed next, and starts while the file is closed
                        threading.Thread(target=self._started, name="duckdb", daemon=True).start()
                finally:
                    _interruptible_detach(cursor, target.schema)
                if not document.content.wide:
                    database_file.unlink(missing_ok=True)
                write_document(target.folder, document)
        finally:
            shutil.rmtree(target.spill, ignore_errors=True)

    @contextlib.contextmanager
    def _room_explained(self, path: Path) -> Iterator[None]:
        """It is not the table itself that the disk has no room for."""
        try:
            yield
        except DiskFull as error:
            message = f"The disk is full: to open {path.name}, there must be room for it in {self._folder}."
            raise DiskFull(message, path=self._folder, hint="Free some space there.") from error
        except OSError as error:
            raise from_os_error(error, self._folder, "keep tables in") from error

    @contextlib.contextmanager
    def _builder(self, loading: Loading) -> Iterator[duckdb.DuckDBPyConnection]:
        """A DuckDB of its own for one loading, whose memory is given back at the end."""
        spill = self._new_spill()
        try:
            with database(BUILDING_LIMIT, spill) as connection, loading.watched(connection):
                yield connection
        finally:
            shutil.rmtree(spill, ignore_errors=True)

    def _new_spill(self) -> Path:
        """A folder that is not there yet, for what does not fit into memory."""
        return self._folder / f"spill-{os.getpid()}-{secrets.token_hex(4)}"

    def _attach(self, key: str, folder: Path, *, temporary: bool) -> StoredTable:
        schema, kept = f"table_{secrets.token_hex(6)}", read_kept(folder)
        if kept.document.content.wide:
            with self.cursor() as cursor:
                cursor.execute(f"ATTACH {literal(str(folder / WIDE_SCORES))} AS {schema} (READ_ONLY)")
        table = StoredTable(schema, kept, temporary)
        with self._lock:
            self._open[key] = (table, 1)
        return table

    def _detach(self, table: StoredTable) -> None:
        if table.content.wide:
            with contextlib.suppress(duckdb.Error, RequestFailed), self.cursor() as cursor:
                cursor.execute(f"DETACH {table.schema}")
        if table.temporary:
            shutil.rmtree(table.folder, ignore_errors=True)


def _stamps(path: Path) -> _Stamps:
    """Path, size and mtime of everything that the table at `path` is made of."""
    found = []
    for file in files_of(path):
        try:
            status = file.stat()
        except OSError as error:
            raise from_os_error(error, file, "read") from error
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device could last for ever
            raise FormatUnknown(f"{file} is no ordinary file, but a pipe or a device.", path=file)
        found.append((os.fsdecode(file), status.st_size, status.st_mtime_ns))
    return tuple(found)


def _key(stamps: _Stamps, path: Path, wanted: Wanted) -> str:
    text = repr((CANONICAL_VERSION, duckdb.__version__, str(path), wanted, stamps))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


@contextlib.contextmanager
def _acquired(lock: threading.Lock, token: CancelToken) -> Iterator[None]:
    """`lock`, unless the token goes up while waiting for it."""
    while not lock.acquire(timeout=_WAIT_SECONDS):
        token.raise_if_cancelled()
    try:
        yield
    finally:
        lock.release()


def _interrupt(cursor: duckdb.DuckDBPyConnection) -> None:
    with contextlib.suppress(duckdb.Error):  # it may be closed already
        cursor.interrupt()


def _interruptible_detach(cursor: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Close the file that was being written; a transaction that failed is undone first."""
    with contextlib.suppress(duckdb.Error):
        cursor.execute("ROLLBACK")
    cursor.execute(f"DETACH {schema}")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What DuckDB raises as leaves of our tree."""
    try:
        with translated_errors(path):
            try:
                yield
            except duckdb.InterruptException as error:
                raise RequestCancelled from error
            except duckdb.OutOfMemoryException as error:
                message = f"{path.name} needs more memory than tables may use."
                raise OutOfMemory(message, path=path) from error
            except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.SerializationException) as error:
                reason = str(error).partition("\n")[0]
                message, hint = f"{path.name} cannot be read as a table: {reason}", "Copy it again, or export it again."
                raise FormatUnknown(message, path=path, hint=hint) from error
            except duckdb.ProgrammingError as error:  # a question of ours that makes no sense
                raise InternalError(
                    f"A question about scores failed because of a fault in this program: {error}"
                ) from error
    except UnicodeEncodeError as error:
        raise RequestFailed(
            f"The name of {path.name!a} is not valid text, so tables cannot be read from it. Rename it.", path=None
        ) from error


def _sweep(folder: Path) -> None:
    """Remove what crashes left behind, and the tables not used for longest once all take too much room."""
    now = time.time()
    kept: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            status = path.stat()
            abandoned = now - status.st_mtime > _ABANDONED_SECONDS
            if path.suffix == _ENDING:
                kept.append((status.st_mtime, _size_of(path), path))
            elif abandoned and (path.name.startswith("spill-") or path.suffix == ".partial"):
                shutil.rmtree(path, ignore_errors=True)
    room = KEPT_BYTES
    for _, size, path in sorted(kept, reverse=True):
        room -= size
        if room < 0:
            shutil.rmtree(path, ignore_errors=True)


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*"))


def _place(aside: Path, folder: Path) -> None:
    """Give what is whole its name. Another process may have been quicker: then its table, which is the same, stays."""
    try:
        aside.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        try:
            read_kept(folder)
        except (OSError, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
            aside.rename(folder)
    atomic.flush_folder(folder.parent)
