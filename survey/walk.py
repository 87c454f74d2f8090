"""Walking folders for recordings: natural order, each file once, nothing hidden, no endless loops.

What lives here: the walk that folders/scan and the expansion of a config's input share. What must not: opening
recordings, the wire.

Hidden are names that start with a dot (`._*` of macOS among them) and the folders that operating systems and
recorders' card readers keep for themselves. A folder reached a second time, through a link or a bind mount, is
not entered again, and a file that has been listed under one name is not listed under another path of the same
folder. Hard links are different names of a file, and both are listed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import RequestFailed, from_os_error
from survey.paths import natural_key

SYSTEM_FOLDERS = frozenset(
    {"$recycle.bin", "system volume information", "lost+found", "recycler", "@eadir", "__macosx", "found.000"}
)
"""In lower case: bins and indexes of Windows, Linux, macOS archives and Synology."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that the walk lists. `modified_ns` is its mtime in nanoseconds since 1970."""

    path: Path
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that could not be looked at, and why, as a sentence."""

    path: Path
    reason: str


@dataclass(slots=True)
class Walk:
    """One walk below `folder`. Iterate it once; `skipped` fills meanwhile.

    `extensions` are in lower case with their dot; empty means every file. `on_folder` is told each folder
    before it is read.
    """

    folder: Path
    extensions: Collection[str]
    token: CancelToken
    recursive: bool = True
    include_hidden: bool = False
    on_folder: Callable[[Path], None] | None = None
    skipped: list[Skipped] = field(default_factory=list)
    _seen: set[tuple[int, int]] = field(default_factory=set)

    def __iter__(self) -> Iterator[FoundFile]:
        """Every file in natural order, the files of a folder before those of its subfolders.

        Raises
        ------
        rpc.errors.FileMissing, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
            `folder` itself cannot be listed.
        rpc.errors.RequestCancelled
        """
        pending = [self.folder]
        while pending:
            self.token.raise_if_cancelled()
            folder = pending.pop()
            entries = self._entries(folder)
            subfolders: list[Path] = []
            for entry in entries:
                self.token.raise_if_cancelled()
                if self._is_folder(entry):
                    subfolders.append(folder / entry.name)
                elif self._wanted(entry.name):
                    yield from self._found(folder, entry)
            if self.recursive:
                pending.extend(reversed(subfolders))

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """What `folder` holds, in natural order; nothing when it was read before or cannot be read."""
        if self.on_folder is not None:
            self.on_folder(folder)
        try:
            if not self._enter_once(folder):
                return []
            with os.scandir(folder) as found:
                entries = [entry for entry in found if self.include_hidden or not is_hidden(entry.name)]
        except OSError as error:
            if folder == self.folder:
                raise from_os_error(error, folder, "list") from error
            self.skipped.append(Skipped(folder, _reason(error, folder)))
            return []
        return sorted(entries, key=lambda entry: natural_key(entry.name))

    def _enter_once(self, folder: Path) -> bool:
        status = folder.stat()
        # Windows gives no inode for folders of some file systems; there links are rare enough to trust depth.
        identity = (status.st_dev, status.st_ino)
        if status.st_ino and identity in self._seen:
            self.skipped.append(Skipped(folder, "This folder is listed already under another path (a link)."))
            return False
        self._seen.add(identity)
        return True

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError as error:
            self.skipped.append(Skipped(Path(entry.path), _reason(error, entry.path)))
            return False

    def _wanted(self, name: str) -> bool:
        return not self.extensions or os.path.splitext(name)[1].lower() in self.extensions  # noqa: PTH122  (hot loop)

    def _found(self, folder: Path, entry: os.DirEntry[str]) -> Iterator[FoundFile]:
        path = folder / entry.name
        try:
            status = entry.stat()
        except OSError as error:
            self.skipped.append(Skipped(path, _reason(error, path)))
            return
        if stat.S_ISREG(status.st_mode):
            yield FoundFile(path, status.st_size, status.st_mtime_ns)


def normal_extensions(extensions: Collection[str]) -> frozenset[str]:
    """Extensions as people write them ("WAV", ".wav", "*.wav") in the one form that Walk knows."""
    return frozenset("." + extension.strip().lower().lstrip("*").lstrip(".") for extension in extensions)


def is_hidden(name: str) -> bool:
    """Whether an operating system or a person means `name` to be out of sight."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def _reason(error: OSError, path: Path | str) -> str:
    failure: RequestFailed = from_os_error(error, path, "read")
    return failure.message
