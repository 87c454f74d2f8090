"""The bytes inside a compressed archive, decompressed on a thread of their own.

What lives here: reading, decompressing, hashing, and the limits that make a decompression bomb harmless. What must
not: knowledge of what the bytes mean (members.py).
"""

from __future__ import annotations

import hashlib
import queue
import threading
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType

from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid, from_os_error

# One read of the file. Deflate grows data by at most 1032 times, so this also bounds what one step holds in memory.
_CHUNK_BYTES = 128 * 1024
_HASH_CHUNK_BYTES = 2 * 1024 * 1024
# Decompressed chunks that wait for the writer: enough to keep both threads busy, 10 MB or so in all.
_WAITING_CHUNKS = 24
_POLL_SECONDS, _JOIN_SECONDS = 0.1, 0.5
# An environment shrinks to a third or a quarter; zeros shrink to a thousandth.
MAX_RATIO = 100
_RATIO_APPLIES_FROM_BYTES = 64 * 1024 * 1024

_GZIP = b"\x1f\x8b"
_TAR, _TAR_AT = b"ustar", 257


class _Damaged(Exception):
    """The compressed data is no such data, or ends early."""


class ArchiveStream:
    """Reads an archive front to back. Use as a context manager; leaving it ends the thread.

    `consumed_bytes` of `size_bytes` of the file were read so far; `sha256` is known at the end of the stream.

    Raises (from reading)
    ---------------------
    ArchiveInvalid
        Not compressed in a known way, damaged, cut short, or grown beyond all reason.
    RequestCancelled
        The token went up.
    """

    def __init__(self, path: Path, token: CancelToken) -> None:
        self.path = path
        self.consumed_bytes = 0
        self.produced_bytes = 0
        self.sha256: str | None = None
        self._token = token
        self._stop = threading.Event()
        self._chunks: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING_CHUNKS)
        self._current = memoryview(b"")
        self._at_end = False
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise from_os_error(error, path, "read") from error
        self.size_bytes = path.stat().st_size
        self._thread = threading.Thread(target=self._work, name="decompress", daemon=True)
        self._thread.start()

    def __enter__(self) -> ArchiveStream:
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
        except (_Damaged, zlib.error, OSError) as error:
            last = self._explained(error)
        except BaseException as error:  # noqa: BLE001 - the reading thread raises it
            last = error
        self._put(last)

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, OSError):
            return from_os_error(error, self.path, "read")
        reason = str(error) if isinstance(error, _Damaged) else "the compressed data is damaged"
        return ArchiveInvalid(
            f"{self.path.name} is not a usable environment archive: {reason}.",
            path=self.path,
            hint="Get the archive again; it may have been damaged on its way.",
        )

    def _decompress_all(self) -> None:
        digest = hashlib.sha256()
        chunks = self._file_chunks(digest)
        first = next(chunks, b"")
        for data in _decompressed(first, chunks):
            if self._stop.is_set():
                return
            self._hand_over(data)
        self.sha256 = digest.hexdigest()

    def _file_chunks(self, digest: hashlib._Hash) -> Iterator[bytes]:
        while chunk := self._file.read(_CHUNK_BYTES):
            digest.update(chunk)
            self.consumed_bytes += len(chunk)
            yield chunk

    def _hand_over(self, data: bytes) -> None:
        self.produced_bytes += len(data)
        if self.produced_bytes > max(_RATIO_APPLIES_FROM_BYTES, MAX_RATIO * self.consumed_bytes):
            raise _Damaged(f"it grows to more than {MAX_RATIO} times its size")
        if data:
            self._put(data)

    def _put(self, chunk: bytes | BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                self._chunks.put(chunk, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return


def _decompressed(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """What is in a file whose first chunk is `first`."""
    if not first:
        raise _Damaged("it is empty")
    if first.startswith(_GZIP):
        return _inflated(chain([first], rest))
    if first[_TAR_AT:].startswith(_TAR):
        return chain([first], rest)
    raise _Damaged("it is no .tar.gz file")


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip data; several may follow one another in a file, and zeros may fill it up."""
    inflater: zlib._Decompress | None = None
    for chunk in chunks:
        remaining = chunk
        while remaining:
            if inflater is None:
                remaining = remaining.lstrip(b"\0")
                if not remaining:
                    break
                inflater = zlib.decompressobj(wbits=31)
            yield inflater.decompress(remaining)
            remaining = inflater.unused_data  # empty until the end of this one
            if inflater.eof:
                inflater = None
    if inflater is not None:
        raise _Damaged("it is cut short")


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
