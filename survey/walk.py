"""Walking folders for recordings: natural order, each file once, nothing hidden, no endless loops.

What lives here: the walk that folders/scan and the expansion of a config's input share. What must not: opening
recordings, the wire.

Hidden are names that start with a dot (`._*` of macOS among them) and the folders that operating systems and
recorders' card readers keep for themselves. A folder reached a second time, through a link or a bind mount, is
not entered again, and a linked file is left out where the file itself, or another link to it, has been listed.
Hard links are files of their own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rpc.cancel import CancelToken
from rpc.errors import from_os_error
from survey.paths import natural_key

SYSTEM_FOLDERS = frozenset(
    {"$recycle.bin", "system volume information", "lost+found", "recycler", "@eadir", "__macosx", "found.000"}
)
"""In lower case: bins and indexes of Windows, Linux, macOS archives and Synology."""


class FoundFile(NamedTuple):
    """A file that the walk lists. `modified_ns` is its mtime in nanoseconds since 1970."""

    location: str
    size_bytes: int
    modified_ns: int

    @property
    def path(self) -> Path:
        """Where it is. Made when it is asked for: for 100,000 files that takes as long as listing them."""
        return Path(self.location)


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
    _folders: set[tuple[int, int]] = field(default_factory=set)
    _targets: set[str] = field(default_factory=set)

    def __iter__(self) -> Iterator[FoundFile]:
        """Every file in natural order, each folder's files where its name stands among its siblings'.

        Raises
        ------
        rpc.errors.FileMissing, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
            `folder` itself cannot be listed.
        rpc.errors.RequestCancelled
        """
        endings = tuple(self.extensions) or ("",)
        open_folders = [iter(self._entries(os.fspath(self.folder)))]
        while open_folders:
            for entry in open_folders[-1]:
                if self._is_folder(entry):
                    if self.recursive:
                        open_folders.append(iter(self._entries(entry.path)))
                        break
                elif entry.name.lower().endswith(endings) and (found := self._found(entry)):
                    yield found
            else:
                open_folders.pop()

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What `folder` holds, in natural order; nothing when it was read before or cannot be read."""
        self.token.raise_if_cancelled()
        if self.on_folder is not None:
            self.on_folder(Path(folder))
        try:
            if not self._enter_once(folder):
                return []
            with os.scandir(folder) as found:
                entries = [entry for entry in found if self.include_hidden or not is_hidden(entry.name)]
        except OSError as error:
            failure = from_os_error(error, folder, "list")
            if folder == os.fspath(self.folder):
                raise failure from error
            self.skipped.append(Skipped(Path(folder), failure.message))
            return []
        return sorted(entries, key=lambda entry: natural_key(entry.name))

    def _enter_once(self, folder: str) -> bool:
        status = os.stat(folder)  # noqa: PTH116  (hot loop, as all of this class)
        identity = (status.st_dev, status.st_ino)
        # Some file systems of Windows give no identity.
        if status.st_ino and identity in self._folders:
            self._skip(folder, "This folder is listed already under another path.")
            return False
        self._folders.add(identity)
        return True

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir()
        except OSError:
            # Whatever it is, looking at it as a file will give the reason.
            return False

    def _found(self, entry: os.DirEntry[str]) -> FoundFile | None:
        self.token.raise_if_cancelled()
        try:
            status = entry.stat()
            if entry.is_symlink() and not self._link_is_new(entry.path):
                return None
        except OSError as error:
            self._skip(entry.path, from_os_error(error, entry.path, "read").message)
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return FoundFile(entry.path, status.st_size, status.st_mtime_ns)

    def _link_is_new(self, link: str) -> bool:
        """Whether what a link leads to is listed under no other name."""
        target = os.path.realpath(link)
        if target in self._targets or self._lists(Path(target)):
            return False
        self._targets.add(target)
        return True

    def _lists(self, path: Path) -> bool:
        """Whether this walk comes by `path`, which is no link."""
        root = Path(os.path.realpath(self.folder))
        if not path.is_relative_to(root):
            return False
        parts = path.relative_to(root).parts
        hidden = not self.include_hidden and any(map(is_hidden, parts))
        wanted = not self.extensions or path.suffix.lower() in self.extensions
        return wanted and not hidden and (self.recursive or len(parts) == 1)

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(Path(path), reason))


def normal_extensions(extensions: Collection[str]) -> frozenset[str]:
    """Extensions as people write them ("WAV", ".wav", "*.wav") in the one form that Walk knows."""
    return frozenset("." + extension.strip().lower().lstrip("*").lstrip(".") for extension in extensions)


def is_hidden(name: str) -> bool:
    """Whether an operating system or a person means `name` to be out of sight."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS
