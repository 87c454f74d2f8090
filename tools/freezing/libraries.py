"""Native libraries on their way into the frozen sidecar.

What lives here: taking debug symbols out of Python's own. What must not: choosing what goes in (contents.py).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePath

Entry = tuple[str, str, str]
"""As in PyInstaller's tables: name in the bundle, file on the disk, kind."""


def without_debug_symbols(binaries: Iterable[Entry], scratch: Path) -> list[Entry]:
    """The same binaries, Python's own as copies without debug symbols (two thirds of them) where `strip` is found.

    The others stay as they are: wheels come stripped, and numpy's OpenBLAS does not survive it.
    """
    return [_stripped(entry, scratch) if _is_pythons_own(entry) else entry for entry in binaries]


def _is_pythons_own(entry: Entry) -> bool:
    path = PurePath(entry[0])
    return ".so" in path.name and (path.name.startswith("libpython3.") or path.parent.name == "lib-dynload")


def _stripped(entry: Entry, scratch: Path) -> Entry:
    strip = shutil.which("strip")
    if strip is None:
        return entry
    name, file, kind = entry
    copy = scratch / Path(name).name
    shutil.copyfile(file, copy)
    subprocess.run([strip, "--strip-unneeded", copy], check=True)
    return name, str(copy), kind
