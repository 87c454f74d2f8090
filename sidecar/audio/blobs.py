"""Delivering bytes to the client: inside the reply, or as a file that lives at least ten minutes.

What lives here: the choice, atomic writing, and sweeping of old blobs. What must not: what the bytes mean.

Only files whose name this module gave (`dipper-blob-<32 hex digits>.<extension>`, and the same with
`.partial`) are ever removed, and none before it is ten minutes old: not even at the end of the process, for when a
shell pipe ends nobody has read the reply yet. What one sidecar leaves, the next one removes.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from rpc.errors import from_os_error
from schemas.audio import Blob, Delivery, FileBlob, InlineBlob
from survey.paths import path_to_wire

LIFETIME_SECONDS = 600.0
DEFAULT_LIMIT_BYTES = 512 * 2**20
_PREFIX = "dipper-blobs-"
_NAME = re.compile(r"dipper-blob-[0-9a-f]{32}\.\w{1,8}(\.partial)?")
_EXTENSIONS = {"image/png": "png", "audio/wav": "wav"}


class BlobStore:
    """Where blobs go. Thread-safe. Without a folder it makes a private temporary one when first needed."""

    def __init__(self, folder: Path | None = None, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._folder = folder
        self._private: Path | None = None
        self._limit_bytes = limit_bytes
        self._unswept_bytes: int | None = None
        self._lock = threading.Lock()

    def use_folder(self, folder: Path) -> None:
        """Write files into `folder` from now on (the client's `blobFolder`)."""
        with self._lock:
            self._folder = folder
            self._unswept_bytes = None

    def deliver(self, content: bytes, mime: str, delivery: Delivery) -> Blob:
        """`content` in the form that the client asked for.

        Raises
        ------
        rpc.errors.RequestFailed
            The leaf that fits the OSError when the file cannot be written.
        """
        if delivery == "inline":
            return InlineBlob(mime=mime, base64=_base64(content))
        path = self._write(content, _EXTENSIONS[mime])
        return FileBlob(mime=mime, path=path_to_wire(path), bytes=len(content))

    def close(self) -> None:
        """Remove what may go from the private folder, if there is one. Files in the client's folder stay for it."""
        with self._lock:
            if self._private is not None:
                _sweep_private(self._private)
            self._private = self._folder = None

    def _write(self, content: bytes, extension: str) -> Path:
        folder = self._ready_folder(len(content))
        path = folder / f"dipper-blob-{secrets.token_hex(16)}.{extension}"
        aside = path.with_name(path.name + ".partial")
        try:
            # Not flushed to disk: after a power cut nobody waits for this reply any more.
            aside.write_bytes(content)
            aside.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            raise from_os_error(error, folder, "write") from error
        return path

    def _ready_folder(self, coming_bytes: int) -> Path:
        """The folder, made and swept: when first used, and each time a quarter of the limit has been written."""
        with self._lock:
            folder = self._folder or self._private_folder()
            if self._unswept_bytes is None:
                _make(folder)
                sweep(folder, limit_bytes=0)
                self._unswept_bytes = 0
            elif self._unswept_bytes + coming_bytes > self._limit_bytes // 4:
                sweep(folder, self._limit_bytes)
                self._unswept_bytes = 0
            self._unswept_bytes += coming_bytes
        return folder

    def _private_folder(self) -> Path:
        """A folder of our own. Another sidecar removes it when nothing young is left in it: then a new one."""
        if self._private is None or not self._private.is_dir():
            _sweep_abandoned()
            try:
                self._private = Path(tempfile.mkdtemp(prefix=_PREFIX))
            except OSError as error:
                raise from_os_error(error, Path(error.filename or _PREFIX), "create") from error
            self._unswept_bytes = None
        return self._private


def _base64(content: bytes) -> msgspec.Raw:
    """`content` as a JSON string, here and not in the encoder of replies: that is one thread, and 20 times as slow."""
    # Late, for a sidecar that only ever delivers files.
    from pybase64 import b64encode

    return msgspec.Raw(b'"%b"' % b64encode(content))


def sweep(folder: Path, limit_bytes: int, now: float | None = None) -> int:
    """Remove blobs older than ten minutes, oldest first, until those left fit `limit_bytes`. Returns bytes freed."""
    now = time.time() if now is None else now
    blobs = sorted(_blobs(folder))
    excess = sum(size for _, size, _ in blobs) - limit_bytes
    freed = 0
    for modified, size, path in blobs:
        interrupted = path.endswith(".partial")
        if now - modified < LIFETIME_SECONDS or (freed >= excess and not interrupted):
            continue
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
            freed += size
    return freed


def _sweep_abandoned() -> None:
    """Remove the private folders that earlier processes have left, as soon as nothing in them is young."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not folder.is_symlink():
            _sweep_private(folder)


def _sweep_private(folder: Path) -> None:
    """Remove old blobs, and the folder with the last of them unless it is young itself."""
    with contextlib.suppress(OSError):
        young = time.time() - folder.stat().st_mtime < LIFETIME_SECONDS
        sweep(folder, limit_bytes=0)
        if not young:
            folder.rmdir()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, folder, "create") from error


def _blobs(folder: Path) -> list[tuple[float, int, str]]:
    """(mtime, size, path) of each of our files in `folder`."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime, status.st_size, entry.path))
    return found
