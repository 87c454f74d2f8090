"""The names that env/setup uses beside an environment's folder, and putting back in order what a crash left there.

What lives here: names, renaming, removing. What must not: extracting.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from rpc.errors import from_os_error
from sidecar.environment.marker import has_marker, read_marker


class Places(msgspec.Struct, frozen=True):
    """Beside `folder`: `aside` holds what is being extracted, `old` what is being replaced, `lock` who works."""

    folder: Path

    @property
    def aside(self) -> Path:
        """Where a new environment grows."""
        return self.folder.with_name(f".{self.folder.name}.new")

    @property
    def old(self) -> Path:
        """Where the environment that is replaced waits until the new one has proved itself."""
        return self.folder.with_name(f".{self.folder.name}.old")

    @property
    def lock(self) -> Path:
        """The file that whoever works here holds locked."""
        return self.folder.with_name(f".{self.folder.name}.lock")

    def recover(self) -> None:
        """Put right what a killed setup left. Only under the lock."""
        remove_tree(self.aside)
        marker = read_marker(self.folder)
        if marker is not None and marker.state == "ready":
            remove_tree(self.old)
        else:
            if has_marker(self.folder):
                remove_tree(self.folder)
            if self.old.exists() and not self.folder.exists():
                self._rename(self.old, self.folder)

    def put_in_place(self) -> None:
        """Let what is aside take the folder's name; what was there waits in `old`."""
        if has_marker(self.folder):
            self._rename(self.folder, self.old)
        elif self.folder.exists():
            self.folder.rmdir()  # an empty folder that the user made
        self._rename(self.aside, self.folder)

    def take_back(self) -> None:
        """Undo `put_in_place`."""
        self._rename(self.folder, self.aside)
        if self.old.exists():
            self._rename(self.old, self.folder)
        remove_tree(self.aside)

    def _rename(self, source: Path, target: Path) -> None:
        try:
            os.rename(source, target)  # noqa: PTH104 - Path.replace would overwrite on some systems
        except OSError as error:
            raise from_os_error(error, source, "rename") from error


def remove_tree(folder: Path) -> None:
    """Delete a folder that is ours, if it is there."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise from_os_error(error, folder, "remove") from error
