"""Folders that refuse to be written and disks that are full: real ones, made by the operating system.

Where the system does not allow to make one, the test says so and is skipped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def refusing(folder: Path) -> Iterator[Path]:
    """Make `folder` refuse new files; also to root, whom file modes do not stop."""
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        folder.chmod(0o555)
        try:
            yield folder
        finally:
            folder.chmod(0o755)
        return
    if shutil.which("chattr") is None or _run("chattr", "+i", folder) != 0:
        pytest.skip("no folder can be made that refuses root: chattr +i does not work here")
    try:
        yield folder
    finally:
        _run("chattr", "-i", folder)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of `size` ("300k") at `folder`."""
    if shutil.which("mount") is None or _run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder) != 0:
        pytest.skip("no small file system can be mounted here: that needs root on Linux")
    try:
        yield folder
    finally:
        _run("umount", "-l", folder)


def fill(folder: Path) -> Path:
    """Take all the room that is left in `folder`, by a file whose removal makes room again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(4096))
    return ballast


def _run(*command: str | Path) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode
