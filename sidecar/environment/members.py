"""The members of a tar archive, read strictly front to back.

What lives here: the tar format as far as conda-pack and tar programs write it (ustar, pax, GNU long names). What must
not: judging a member (rules.py) or writing one (archive.py).

Python's tarfile is not used as a whole, because it reads a header of any size into memory, skips what it does not
understand, and its safe filters are missing in the Pythons of some distributions.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rpc.errors import ArchiveInvalid
from sidecar.environment.stream import ArchiveStream, unusable

Kind = Literal["file", "folder", "symlink", "hardlink"]

_BLOCK = 512
_MAX_HEADER_BYTES = 1024 * 1024
_LATEST_MTIME = float(2**32)
_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}
_REFUSED = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive. `size` is in bytes, `mtime` in seconds since 1970, `target` is of a link."""

    name: str
    kind: Kind
    size: int
    mode: int
    mtime: float
    target: str


def read_members(stream: ArchiveStream) -> Iterator[Member]:
    """Each member in turn. A file's `size` bytes must be read from `stream` before the next member is asked for.

    Raises
    ------
    ArchiveInvalid
        The archive is damaged, or holds what an environment has no use for.
    """
    overrides: dict[str, str] = {}
    while (header := _read_header(stream)) is not None:
        if header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            overrides |= _pax_records(_extension(stream, header))
        elif header.type == tarfile.XGLTYPE:
            _extension(stream, header)  # comments; a path or size for all members would make no sense
        elif header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            key = "path" if header.type == tarfile.GNUTYPE_LONGNAME else "linkpath"
            overrides[key] = _decode(_extension(stream, header).split(b"\0", 1)[0])
        else:
            member = _member(stream, header, overrides)
            overrides = {}
            yield member
            _skip_padding(stream, member)


def _read_header(stream: ArchiveStream) -> tarfile.TarInfo | None:
    """The next header block; None at the end of the archive."""
    block = stream.read(_BLOCK)
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        stream.drain()
        return None
    except tarfile.HeaderError as error:
        reason = "it is cut short" if len(block) < _BLOCK else "it holds something that is no tar archive"
        raise _invalid(stream, reason) from error


def _member(stream: ArchiveStream, header: tarfile.TarInfo, overrides: dict[str, str]) -> Member:
    name = overrides.get("path", header.name)
    if header.type in _REFUSED or header.type not in _KINDS or any(key.startswith("GNU.sparse") for key in overrides):
        what = _REFUSED.get(header.type, "of a kind that an environment cannot need")
        raise _invalid(stream, f"its member {name!r} is {what}")
    kind = _KINDS[header.type]
    try:
        size = int(overrides.get("size", header.size)) if kind == "file" else 0
        mtime = min(max(0.0, float(overrides.get("mtime", header.mtime))), _LATEST_MTIME)
    except ValueError as error:
        raise _invalid(stream, f"the header of its member {name!r} is damaged") from error
    if size < 0:
        raise _invalid(stream, f"its member {name!r} has a negative size")
    return Member(name, kind, size, header.mode, mtime, overrides.get("linkpath", header.linkname))


def _extension(stream: ArchiveStream, header: tarfile.TarInfo) -> bytes:
    """The content of a header that only extends the next one."""
    if not 0 <= header.size <= _MAX_HEADER_BYTES:
        raise _invalid(stream, f"a header in it has {header.size} bytes")
    content = stream.read(_padded(header.size))
    if len(content) < header.size:
        raise _invalid(stream, "it is cut short")
    return content[: header.size]


def _pax_records(content: bytes) -> dict[str, str]:
    """The records (length, blank, key, =, text, line feed) of a pax header, up to the first that is none."""
    records: dict[str, str] = {}
    position = 0
    while position < len(content):
        digits, blank, _ = content[position : position + 20].partition(b" ")
        if not blank or not digits.isdigit() or int(digits) <= len(digits) + 1:
            break
        record = content[position + len(digits) + 1 : position + int(digits) - 1]
        key, _, text = record.partition(b"=")
        records[_decode(key)] = _decode(text)
        position += int(digits)
    return records


def _skip_padding(stream: ArchiveStream, member: Member) -> None:
    if member.kind == "file":
        stream.read(_padded(member.size) - member.size)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _invalid(stream: ArchiveStream, reason: str) -> ArchiveInvalid:
    return unusable(stream.path, reason)
