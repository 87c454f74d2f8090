"""The list of an environment's files, by which a damaged one is told from a whole one.

What lives here: the list, written once and compared later. What must not: extracting, running.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from rpc.cancel import CancelToken
from rpc.errors import from_os_error
from survey.atomic import write_bytes

FILES_NAME = "dipper-environment-files.json"
_CHUNK_BYTES = 1024 * 1024
# How coarse the times of a file system may be (FAT).
_CLOCK_STEP_SECONDS = 2.0


class FileRecord(msgspec.Struct, frozen=True, array_like=True):
    """A file by its path below the environment (forward slashes), its size in bytes and its CRC-32.

    The checksum finds damage; what the archive was is assured by the archive's SHA-256.
    """

    path: str
    size: int
    crc32: int


class FileList(msgspec.Struct, frozen=True):
    """Everything that env/setup put into an environment; `links` are paths of symbolic links."""

    files: tuple[FileRecord, ...]
    links: tuple[str, ...] = ()


def write_list(folder: Path, listed: FileList) -> None:
    """Write the list into the environment."""
    write_bytes(folder / FILES_NAME, msgspec.json.encode(listed))


def read_list(folder: Path) -> FileList | None:
    """The list; None where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / FILES_NAME).read_bytes(), type=FileList)
    except (OSError, msgspec.DecodeError):
        return None


def records_now(
    folder: Path, records: Iterable[FileRecord], since: float, token: CancelToken
) -> tuple[FileRecord, ...]:
    """The records anew: files that were written to after `since` (seconds since 1970) are read again."""
    return tuple(_record_now(folder, record, since - _CLOCK_STEP_SECONDS, token) for record in records)


def first_difference(
    folder: Path, records: tuple[FileRecord, ...], token: CancelToken, on_bytes: Callable[[int, int], None]
) -> str | None:
    """What is wrong with the first file that is not as listed; None where all are."""
    total, done = sum(record.size for record in records), 0
    for record in records:
        token.raise_if_cancelled()
        path = folder / record.path
        try:
            if path.lstat().st_size != record.size:
                return f"{record.path} has another size than in the archive"
            if _checksum(path, token) != record.crc32:
                return f"{record.path} is damaged"
        except FileNotFoundError:
            return f"{record.path} is missing"
        except OSError as error:
            raise from_os_error(error, path, "read") from error
        done += record.size
        on_bytes(done, total)
    return None


def _record_now(folder: Path, record: FileRecord, since: float, token: CancelToken) -> FileRecord:
    path = folder / record.path
    status = path.lstat()
    if status.st_size == record.size and status.st_mtime < since:
        return record
    return FileRecord(record.path, status.st_size, _checksum(path, token))


def _checksum(path: Path, token: CancelToken) -> int:
    checksum = 0
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            token.raise_if_cancelled()
            checksum = zlib.crc32(chunk, checksum)
    return checksum
