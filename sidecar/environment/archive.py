"""Extracting an archive into a new folder, trusting nothing in it.

What lives here: writing members. What must not: deciding where the folder belongs (setup.py) or which members are
safe (rules.py).

Decompression runs on a thread of its own (stream.py); this one creates and writes files meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid, RequestFailed, from_os_error
from sidecar.environment.files import FileRecord
from sidecar.environment.members import Member, read_members
from sidecar.environment.progress import OnProgress
from sidecar.environment.rules import MemberRules, Refused
from sidecar.environment.stream import ArchiveStream, FrontToBack
from sidecar.environment.zipped import SIGNATURE, ZipContent, read_zip_members

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_STEP_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an archive held: its own SHA-256, and every file with its size and CRC-32, every link."""

    sha256: str
    files: tuple[FileRecord, ...]
    links: tuple[str, ...]


def extract_archive(archive: Path, into: Path, token: CancelToken, on_progress: OnProgress) -> Extracted:
    """Extract `archive` into the folder `into`, which exists and is ours alone.

    Leaves behind what it wrote when it fails; the caller removes the folder.

    Raises
    ------
    ArchiveInvalid
        Damaged, cut short, no archive, or with a member that is not safe: the message names it.
    RequestCancelled, FileMissing, PermissionRefused, DiskFull
    """
    stream, members = _open(archive, token)
    with stream:
        extraction = _Extraction(stream, into, on_progress)
        try:
            extraction.run(members)
        except OSError as error:
            raise from_os_error(error, into, "write") from error
        extraction.refuse_links_that_lead_out()
        assert stream.sha256 is not None
        return Extracted(stream.sha256, tuple(extraction.files.values()), tuple(extraction.links))


def _open(archive: Path, token: CancelToken) -> tuple[ArchiveStream, Iterator[Member]]:
    """The archive's stream and its members, by the kind that its first bytes tell."""
    try:
        file = archive.open("rb", buffering=0)
        signature = file.read(len(SIGNATURE))
        file.seek(0)
    except OSError as error:
        raise from_os_error(error, archive, "read") from error
    if signature != SIGNATURE:
        stream = ArchiveStream(archive, file, FrontToBack(file), token)
        return stream, read_members(stream)
    with ExitStack() as undo:
        undo.callback(file.close)
        content = ZipContent(archive, file)
        undo.pop_all()
    stream = ArchiveStream(archive, file, content, token)
    return stream, read_zip_members(content, stream)


class _Extraction:
    """One run through one archive."""

    def __init__(self, stream: ArchiveStream, root: Path, on_progress: OnProgress) -> None:
        self.files: dict[str, FileRecord] = {}
        self._stream = stream
        self._root = _long_path(root)
        self._rules = MemberRules()
        self._folders: set[str] = {""}
        self.links: dict[str, Member] = {}
        self._on_progress = on_progress
        self._told_bytes = -_STEP_BYTES

    def run(self, members: Iterator[Member]) -> None:
        """Write every member."""
        for member in members:
            try:
                path = self._rules.admit(member)
                target = self._rules.admit_target(member) if member.kind == "hardlink" else ""
            except Refused as error:
                raise self._refusal(member, str(error)) from error
            self._make_folder(path if member.kind == "folder" else path.rpartition("/")[0])
            if member.kind == "file":
                self._write_file(member, path)
            elif member.kind == "symlink":
                self._make_link(member, path)
            elif member.kind == "hardlink":
                self._write_hard_link(path, target)
            self._tell()

    def refuse_links_that_lead_out(self) -> None:
        """Links that are harmless one by one may lead out together; nothing has been written through any."""
        real_root = os.path.realpath(self._root)
        for path, member in self.links.items():
            end = os.path.realpath(os.path.join(real_root, path))  # noqa: PTH118
            if end != real_root and not end.startswith(real_root + os.sep):
                raise self._refusal(member, "is a link that leads out of the archive by way of another")

    def _write_file(self, member: Member, path: str) -> None:
        """Write it with the time in the archive: a compiled module is only valid for a source of the time it names."""
        checksum, left = 0, member.size
        descriptor = os.open(self._place(path), _CREATE, 0o755 if member.mode & 0o111 else 0o644)
        try:
            for piece in self._stream.pieces(member.size):
                checksum = zlib.crc32(piece, checksum)
                left -= len(piece)
                _write_all(descriptor, piece)
                self._tell()
            if left:
                raise self._refusal(member, "is cut short")
            if os.utime in os.supports_fd:
                os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)
        if os.utime not in os.supports_fd:
            os.utime(self._place(path), (member.mtime, member.mtime))
        self.files[path] = FileRecord(path, member.size, checksum)

    def _make_link(self, member: Member, path: str) -> None:
        try:
            os.symlink(member.target, self._place(path))  # noqa: PTH211
        except OSError as error:
            if sys.platform != "win32":
                raise
            raise RequestFailed(
                f"Windows does not let this user make the link {member.name!r} of the archive.",
                hint="Turn on Windows' developer mode, or use an archive that was built for Windows.",
            ) from error
        self.links[path] = member

    def _write_hard_link(self, path: str, target: str) -> None:
        try:
            os.link(self._place(target), self._place(path))
        except OSError:  # not every file system has them
            shutil.copy2(self._place(target), self._place(path))
        self.files[path] = FileRecord(path, self.files[target].size, self.files[target].crc32)

    def _make_folder(self, path: str) -> None:
        if path not in self._folders:
            self._make_folder(path.rpartition("/")[0])
            os.mkdir(self._place(path), 0o755)  # noqa: PTH102
            self._folders.add(path)

    def _place(self, path: str) -> str:
        return f"{self._root}{os.sep}{path}"

    def _tell(self) -> None:
        """Report now and then; per file it would cost more than the files."""
        done = self._stream.consumed_bytes
        if done - self._told_bytes >= _STEP_BYTES or done == self._stream.size_bytes:
            self._told_bytes = done
            self._on_progress("extracting the archive", done, self._stream.size_bytes)

    def _refusal(self, member: Member, reason: str) -> ArchiveInvalid:
        return ArchiveInvalid(
            f"{self._stream.path.name} is not a safe environment archive: its member {member.name!r} {reason}.",
            path=self._stream.path,
            hint="Get the archive again from a source that you trust.",
        )


def _write_all(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]


def _long_path(root: Path) -> str:
    """Windows refuses paths over 260 characters unless they are written so."""
    return f"\\\\?\\{root.absolute()}" if sys.platform == "win32" else str(root.absolute())
