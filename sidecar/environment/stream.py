"""The bytes inside an archive, decompressed on a thread of their own.

What lives here: handing them over, hashing, and the limit that makes a decompression bomb harmless. What must not:
how they are compressed (compression.py, zipped.py), what they mean (members.py).
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid, from_os_error
from sidecar.environment.compression import Damaged, decompressed

_CHUNK_BYTES = 128 * 1024
_HASH_CHUNK_BYTES = 2 * 1024 * 1024
# Decompressed chunks that wait for the writer: enough to keep both threads busy, 10 MB or so in all.
_WAITING_CHUNKS = 24
_POLL_SECONDS, _JOIN_SECONDS = 0.1, 0.5
# An environment shrinks to a third or a quarter; zeros shrink to a thousandth.
MAX_RATIO = 100
_RATIO_APPLIES_FROM_BYTES = 64 * 1024 * 1024


class Content(Protocol):
    """How an archive's file is read. `consumed_bytes` of it were so far."""

    @property
    def consumed_bytes(self) -> int: ...

    def chunks(self) -> Iterator[bytes]:
        """What is in it, decompressed, in order.

        Raises
        ------
        Damaged, OSError
        """

    def sha256(self) -> str:
        """Of the whole file, in hex, once all chunks were taken."""


class FrontToBack:
    """A compressed tar archive, read once from its first byte to its last."""

    def __init__(self, file: BinaryIO) -> None:
        self.consumed_bytes = 0
        self._file = file
        self._digest = hashlib.sha256()

    def chunks(self) -> Iterator[bytes]:
        return decompressed(self._read())

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def _read(self) -> Iterator[bytes]:
        while chunk := self._file.read(_CHUNK_BYTES):
            self._digest.update(chunk)
            self.consumed_bytes += len(chunk)
            yield chunk


class ArchiveStream:
    """Reads what is in an archive front to back. Use as a context manager; leaving it ends the thread.

    `consumed_bytes` of `size_bytes` of the file were read so far; `sha256` is known at the end of the stream.

    Raises (from reading)
    ---------------------
    ArchiveInvalid
        Not compressed in a known way, damaged, cut short, or grown beyond all reason.
    RequestCancelled
        The token went up.
    """

    def __init__(self, path: Path, file: BinaryIO, content: Content, token: CancelToken) -> None:
        self.path = path
        self.size_bytes = path.stat().st_size
        self.produced_bytes = 0
        self.sha256: str | None = None
        self._file, self._content, self._token = file, content, token
        self._stop = threading.Event()
        self._chunks: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING_CHUNKS)
        self._current = memoryview(b"")
        self._at_end = False
        self._thread = threading.Thread(target=self._work, name="decompress", daemon=True)

    @property
    def consumed_bytes(self) -> int:
        return self._content.consumed_bytes

    def __enter__(self) -> ArchiveStream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_JOIN_SECONDS)
        # A thread that hangs in a read (a network drive that is gone) is left to itself, with its file.
        if not self._thread.is_alive():
            self._file.close()

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes, which must be few; fewer only at the end."""
        if len(self._current) >= count:
            piece, self._current = self._current[:count], self._current[count:]
            return bytes(piece)
        return b"".join(self.pieces(count))

    def pieces(self, count: int) -> Iterator[memoryview]:
        """The next `count` bytes in pieces as they come; fewer only at the end."""
        while count > 0:
            if not self._current and not self._next_chunk():
                return
            piece = self._current[:count]
            self._current = self._current[len(piece) :]
            count -= len(piece)
            yield piece

    def drain(self) -> None:
        """Read to the end, so that the checksums are verified and the hash is complete."""
        self._current = memoryview(b"")
        while self._next_chunk():
            pass
        self._current = memoryview(b"")

    def _next_chunk(self) -> bool:
        if self._at_end:
            return False
        chunk = self._wait_for_chunk()
        if chunk is None or isinstance(chunk, BaseException):
            self._at_end = True
            if chunk is not None:
                raise chunk
            return False
        self._current = memoryview(chunk)
        return True

    def _wait_for_chunk(self) -> bytes | BaseException | None:
        while True:
            self._token.raise_if_cancelled()
            try:
                return self._chunks.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue

    def _work(self) -> None:
        last: BaseException | None = None
        try:
            self._decompress_all()
        except (Damaged, OSError) as error:
            last = self._explained(error)
        except BaseException as error:  # noqa: BLE001 - the reading thread raises it
            last = error
        self._put(last)

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, OSError):
            return from_os_error(error, self.path, "read")
        return unusable(self.path, str(error))

    def _decompress_all(self) -> None:
        for data in self._content.chunks():
            if self._stop.is_set():
                return
            self._hand_over(data)
        self.sha256 = self._content.sha256()

    def _hand_over(self, data: bytes) -> None:
        self.produced_bytes += len(data)
        if self.produced_bytes > max(_RATIO_APPLIES_FROM_BYTES, MAX_RATIO * self.consumed_bytes):
            raise Damaged(f"it grows to more than {MAX_RATIO} times its size")
        if data:
            self._put(data)

    def _put(self, chunk: bytes | BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                self._chunks.put(chunk, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return


def unusable(archive: Path, reason: str) -> ArchiveInvalid:
    """The error about a damaged archive; `reason` ends a sentence."""
    return ArchiveInvalid(
        f"{archive.name} is not a usable environment archive: {reason}.",
        path=archive,
        hint="Get the archive again from a source that you trust; it may have been damaged on its way.",
    )


def sha256_of(path: Path, token: CancelToken, on_bytes: Callable[[int, int], None]) -> str:
    """The SHA-256 of a file in hex. `on_bytes(done, total)` is told how far it is.

    Raises
    ------
    RequestCancelled, FileMissing, PermissionRefused
    """
    digest, done = hashlib.sha256(), 0
    try:
        with path.open("rb", buffering=0) as stream:
            total = path.stat().st_size
            while chunk := stream.read(_HASH_CHUNK_BYTES):
                token.raise_if_cancelled()
                digest.update(chunk)
                done += len(chunk)
                on_bytes(done, total)
    except OSError as error:
        raise from_os_error(error, path, "read") from error
    return digest.hexdigest()
