"""Zip archives, as conda-pack and zip programs write them.

What lives here: their directory, and their contents in its order. What must not: judging a member (rules.py) or writing
one (archive.py).

A zip archive's directory is at its end, so it is read at once, which is refused where it is larger than any
environment's. A member is what the directory says of it; two that share bytes (the trick of the bombs that grow by a
factor of millions) are refused.
"""

from __future__ import annotations

import errno
import hashlib
import io
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rpc.errors import from_os_error
from sidecar.environment.compression import Damaged
from sidecar.environment.members import Kind, Member
from sidecar.environment.stream import ArchiveStream, unusable

SIGNATURE = b"PK\x03\x04"
_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
_MAX_TARGET_BYTES = 4096
_CHUNK_BYTES = 256 * 1024
_HASH_CHUNK_BYTES = 2 * 1024 * 1024
_LOCAL_HEADER_BYTES = 30
_END, _END_BYTES, _MAX_COMMENT_BYTES = b"PK\x05\x06", 22, 65535
_LOCATOR, _LOCATOR_BYTES, _IN_LOCATOR = b"PK\x06\x07", 20, 0xFFFFFFFF
_ENCRYPTED = 0x1
_UNIX = 3
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_EXTENDED_TIME = 0x5455
# RuntimeError: encrypted, or made for a newer reader. ValueError: what is no text or no number.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OverflowError, RuntimeError, ValueError)
_REFUSED = {
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


class ZipContent:
    """The contents of files and the targets of links, one after another as the directory lists them."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        """Read the directory.

        Raises
        ------
        ArchiveInvalid
        """
        self._file = _Counting(file)
        try:
            _refuse_large_directory(file, path.stat().st_size)
            self._zip = zipfile.ZipFile(self._file)
            self.entries = self._zip.infolist()
            _refuse_shared_bytes(self.entries)
        except Damaged as error:
            raise unusable(path, str(error)) from error
        except OSError as error:
            if error.errno != errno.EINVAL:  # which is what an impossible place in the file gives
                raise from_os_error(error, path, "read") from error
            raise unusable(path, "its directory is damaged") from error
        except _BROKEN as error:
            raise unusable(path, f"its directory is damaged ({error})") from error

    @property
    def consumed_bytes(self) -> int:
        return self._file.consumed_bytes

    def chunks(self) -> Iterator[bytes]:
        for entry in self.entries:
            if kind_of(entry) != "folder":
                yield from self._content(entry)

    def sha256(self) -> str:
        digest = hashlib.sha256()
        self._file.seek(0)
        while chunk := self._file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
        return digest.hexdigest()

    def _content(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        left = entry.file_size
        try:
            with self._zip.open(entry) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    left -= len(chunk)
                    yield chunk
        except _BROKEN as error:
            raise Damaged(f"its member {entry.filename!r} is damaged ({error})") from error
        if left:
            raise Damaged(f"its member {entry.filename!r} is cut short")


class _Counting(io.RawIOBase):
    """A file that knows how much of it was read; never more than there is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self._read_bytes = 0
        file.seek(0)

    @property
    def consumed_bytes(self) -> int:
        return min(self._read_bytes, self._size)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._read_bytes += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def read_zip_members(content: ZipContent, stream: ArchiveStream) -> Iterator[Member]:
    """Each member in turn. A file's `size` bytes must be read from `stream` before the next member is asked for.

    Raises
    ------
    ArchiveInvalid
        The archive is damaged, or holds what an environment has no use for.
    """
    for entry in content.entries:
        _refuse_unreadable(entry, stream)
        kind, mode, target = kind_of(entry), _mode(entry), ""
        if kind == "symlink":
            target = stream.read(entry.file_size).decode("utf-8", "surrogateescape")
        size = entry.file_size if kind == "file" else 0
        yield Member(entry.orig_filename, kind, size, mode, _modified(entry), target)
    stream.drain()


def kind_of(entry: zipfile.ZipInfo) -> Kind:
    """What an entry is, by its name and by the mode that a Unix system has noted."""
    if entry.orig_filename.endswith("/") or stat.S_ISDIR(_mode(entry)):
        return "folder"
    return "symlink" if stat.S_ISLNK(_mode(entry)) else "file"


def _mode(entry: zipfile.ZipInfo) -> int:
    return entry.external_attr >> 16 if entry.create_system == _UNIX else 0


def _modified(entry: zipfile.ZipInfo) -> float:
    """When a member was written to, in seconds since 1970: to the second where the archive's program noted it so.

    NOTE: what every zip archive has is the local time of who made it, in steps of two seconds.
    """
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _EXTENDED_TIME and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return float(max(0, struct.unpack_from("<i", extra, 5)[0]))
        extra = extra[4 + size :]
    with suppress(ValueError, OverflowError):
        return max(0.0, time.mktime((*entry.date_time, 0, 0, -1)))
    return 0.0


def _refuse_unreadable(entry: zipfile.ZipInfo, stream: ArchiveStream) -> None:
    what = _REFUSED.get(stat.S_IFMT(_mode(entry)))
    if what is None and entry.flag_bits & _ENCRYPTED:
        what = "encrypted"
    if what is None and entry.compress_type not in _METHODS:
        what = f"compressed in a way (method {entry.compress_type}) that is not read here"
    if what is None and kind_of(entry) == "symlink" and entry.file_size > _MAX_TARGET_BYTES:
        what = "a link with an over-long target"
    if what is not None:
        raise unusable(stream.path, f"its member {entry.orig_filename!r} is {what}")


def _refuse_shared_bytes(entries: list[zipfile.ZipInfo]) -> None:
    end, before = 0, ""
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise Damaged(f"its member {entry.orig_filename!r} shares bytes with {before!r}")
        end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size
        before = entry.orig_filename


def _refuse_large_directory(file: BinaryIO, size: int) -> None:
    """What the record at the very end says of the directory, before it is read into memory."""
    file.seek(max(0, size - _END_BYTES - _MAX_COMMENT_BYTES - _LOCATOR_BYTES))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise Damaged("it is cut short")
    directory_bytes = struct.unpack_from("<L", tail, at + 12)[0]
    if directory_bytes == _IN_LOCATOR and tail[max(0, at - _LOCATOR_BYTES) : at].startswith(_LOCATOR):
        file.seek(struct.unpack_from("<Q", tail, at - _LOCATOR_BYTES + 8)[0])
        record = file.read(56)
        directory_bytes = struct.unpack_from("<Q", record, 40)[0]
    if directory_bytes > _MAX_DIRECTORY_BYTES:
        raise Damaged(f"its directory has {directory_bytes} bytes")
    file.seek(0)
