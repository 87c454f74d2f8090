"""Native libraries on their way into the frozen sidecar.

What lives here: taking debug symbols out of Python's own library. What must not: choosing what goes in (contents.py).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

Entry = tuple[str, str, str]
"""As in PyInstaller's tables: name in the bundle, file on the disk, kind."""


def without_debug_symbols(binaries: Iterable[Entry], scratch: Path) -> list[Entry]:
    """The same binaries, libpython as a copy without debug symbols (a third of it) where `strip` is found.

    The others stay as they are: wheels come stripped, and numpy's OpenBLAS does not survive it.
    """
    return [_stripped(entry, scratch) if _is_libpython(entry) else entry for entry in binaries]


def _is_libpython(entry: Entry) -> bool:
    return entry[0].startswith("libpython3.") and ".so" in entry[0]


def _stripped(entry: Entry, scratch: Path) -> Entry:
    strip = shutil.which("strip")
    if strip is None:
        return entry
    name, file, kind = entry
    copy = scratch / Path(name).name
    shutil.copyfile(file, copy)
    subprocess.run([strip, "--strip-unneeded", copy], check=True)
    return name, str(copy), kind
