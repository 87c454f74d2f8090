"""Where the recordings that a table names are now.

What lives here: from a path in a table to a file. What must not: opening it.

Relative paths start from the folder of the table. With an `audio_root`, a recording is sought below it by as
much of its old path as is still true there: of `/data/2023/site1/a.wav` the longest ending that exists, be it
`site1/a.wav` or only `a.wav`.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from survey.paths import path_from_wire


class Recordings:
    """The recordings of one table. Thread-safe; what was found for one is tried first for its neighbours."""

    def __init__(self, folder: Path, audio_root: Path | None) -> None:
        self._folder = folder
        self._root = audio_root
        self._depths: dict[PurePath, int] = {}
        self._lock = threading.Lock()

    @property
    def are_sought(self) -> bool:
        """Whether they are looked for on the disk; otherwise their names tell where they are."""
        return self._root is not None

    def find(self, name: str) -> Path:
        """The file that `name` stands for now; it need not exist."""
        if name.startswith("file://"):
            name = os.fspath(path_from_wire(name))
        old = PureWindowsPath(name) if is_windows(name) else PurePosixPath(name)
        if self._root is None:
            return Path(str(old)) if old.is_absolute() else self._folder / old.as_posix()
        return self._below(self._root, old)

    def _below(self, root: Path, old: PurePath) -> Path:
        parts = old.parts[1:] if old.is_absolute() or old.anchor else old.parts
        with self._lock:
            known = self._depths.get(old.parent)
        depths = range(len(parts)) if known is None else (known, *range(len(parts)))
        for depth in depths:
            candidate = root.joinpath(*parts[depth:])
            if candidate.exists():
                with self._lock:
                    self._depths[old.parent] = depth
                return candidate
        return root.joinpath(*parts[known or 0 :]) if not old.is_absolute() else root / old.name


def is_windows(name: str) -> bool:
    """A drive letter, or backslashes and no slash: made on Windows, wherever we are."""
    return (len(name) > 2 and name[1] == ":" and name[2] in "\\/") or ("\\" in name and "/" not in name)
