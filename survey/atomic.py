"""Writing a file so that it is either the old one or the new one, whatever happens meanwhile.

What lives here: write aside, fsync, rename; sweeping what a crash left aside. What must not: any format.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from rpc.errors import from_os_error

ASIDE_SUFFIX = ".partial"


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; on success it is flushed to disk and takes `path`'s name.

    Raises
    ------
    rpc.errors.RequestFailed
        The leaf that fits the OSError: DiskFull, PermissionRefused, FileMissing.
    """
    aside = path.with_name(f".{path.name}.{os.urandom(4).hex()}{ASIDE_SUFFIX}")
    try:
        yield aside
        _flush(aside)
        aside.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise from_os_error(error, path, "write") from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole small file atomically. Raises as `written_aside`."""
    with written_aside(path) as aside:
        aside.write_bytes(content)


def sweep_aside(folder: Path) -> int:
    """Remove what interrupted writers left in `folder`; only files that `written_aside` named. Returns how many."""
    leftovers = [path for path in folder.glob(f".*{ASIDE_SUFFIX}") if path.is_file()]
    for path in leftovers:
        with contextlib.suppress(OSError):
            path.unlink()
    return len(leftovers)


def flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut. Does nothing where folders cannot be opened (Windows)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
