"""The names that env/setup uses beside an environment's folder, and putting back in order what a crash left there.

What lives here: names, renaming, removing. What must not: extracting.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import msgspec

from rpc.errors import RequestFailed, from_os_error
from sidecar.environment.marker import has_marker, read_marker

_TRASH = ".trash"
_WAIT_SECONDS = 0.5


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
    def download(self) -> Path:
        """Where an archive is downloaded to."""
        return self.folder.with_name(f".{self.folder.name}.download")

    @property
    def kept(self) -> Path:
        """Where the user's own files wait while the environment around them is removed."""
        return self.folder.with_name(f".{self.folder.name}.kept")

    @property
    def lock(self) -> Path:
        """The file that whoever works here holds locked."""
        return self.folder.with_name(f".{self.folder.name}.lock")

    def recover(self) -> None:
        """Put right what a killed setup left. Only under the lock."""
        for trash in self._trash():
            _remove_in_background(trash)
        self.discard(self.aside)
        marker = read_marker(self.folder)
        if marker is not None and marker.state == "ready":
            self.discard(self.old)
        else:
            if has_marker(self.folder):
                self.discard(self.folder)
            for waiting in (self.old, self.kept):
                if waiting.exists() and not self.folder.exists():
                    self.rename(waiting, self.folder)

    def put_in_place(self) -> None:
        """Let what is aside take the folder's name; what was there waits in `old`."""
        if has_marker(self.folder):
            self.rename(self.folder, self.old)
        elif self.folder.exists():
            self.folder.rmdir()  # an empty folder that the user made
        try:
            self.rename(self.aside, self.folder)
        except RequestFailed:
            if self.old.exists():
                self.rename(self.old, self.folder)
            raise

    def take_back(self) -> None:
        """Undo `put_in_place`."""
        self.rename(self.folder, self.aside)
        if self.old.exists():
            self.rename(self.old, self.folder)
        self.discard(self.aside)

    def discard(self, folder: Path) -> None:
        """Delete a folder that is ours, if it is there. Its name is free at once.

        A disk that is still busy writing what was extracted deletes slowly. After half a second the rest is deleted
        in the background; what a crash leaves of it, `recover` finds.
        """
        if folder.exists() or folder.is_symlink():
            self.start_discarding(folder).join(_WAIT_SECONDS)

    def start_discarding(self, folder: Path) -> threading.Thread:
        """As `discard`, for a folder that is there; the thread ends when all is deleted."""
        trash = self.folder.with_name(f".{self.folder.name}.{os.urandom(4).hex()}{_TRASH}")
        with contextlib.suppress(RequestFailed):  # Windows: something in it is in use; delete what can be
            self.rename(folder, trash)
        return _remove_in_background(trash if trash.exists() else folder)

    def _trash(self) -> list[Path]:
        start = f".{self.folder.name}."
        return [p for p in self.folder.parent.iterdir() if p.name.startswith(start) and p.name.endswith(_TRASH)]

    def rename(self, source: Path, target: Path) -> None:
        """Give a folder another name; never over one that is there."""
        try:
            os.rename(source, target)  # noqa: PTH104 - Path.replace would overwrite on some systems
        except OSError as error:
            raise from_os_error(error, source, "rename") from error


def _remove_in_background(folder: Path) -> threading.Thread:
    import shutil  # 3 ms that `health` need not pay

    thread = threading.Thread(target=shutil.rmtree, args=(folder, True), name="remove environment", daemon=True)
    thread.start()
    return thread
