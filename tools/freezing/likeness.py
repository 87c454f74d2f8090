"""Whether two frozen sidecars are the same.

What lives here: comparing folders. What must not: building (build_sidecar.py).
"""

from __future__ import annotations

import filecmp
from pathlib import Path


def differences(one: Path, other: Path) -> list[str]:
    """What only one of the two folders holds, and what is not the same in both: content, mode or target of a link."""
    here, there = _paths(one), _paths(other)
    return sorted(here ^ there) + sorted(path for path in here & there if not _alike(one / path, other / path))


def _paths(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def _alike(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    if one.is_dir() or other.is_dir():
        return one.is_dir() and other.is_dir()
    return one.stat().st_mode == other.stat().st_mode and filecmp.cmp(one, other, shallow=False)
