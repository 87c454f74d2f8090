"""Writing a file so that it is either the old one or the new one, whatever happens meanwhile.

What lives here: write aside, fsync, rename; sweeping what a crash left aside. What must not: any format.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from rpc.errors import RequestFailed, from_os_error

ASIDE_SUFFIX = ".partial"
_ASIDE_NAME = re.compile(r"\..*\.[0-9a-f]{8}(\.body)?\.partial", re.DOTALL)
_ABANDONED_SECONDS = 24 * 3600.0
_LONGEST_NAME_BYTES = 200


@contextlib.contextmanager
def written_aside(path: Path, *, anew: bool = False) -> Iterator[Path]:
    """Give a path beside `path` to write to; on success it is flushed to disk and takes `path`'s name.

    With `anew` nothing is ever replaced, not even what has appeared at `path` meanwhile.

    Raises
    ------
    rpc.errors.RequestFailed
        The leaf that fits the OSError: DiskFull, PermissionRefused, FileMissing.
    """
    aside = aside_of(path)
    try:
        yield aside
        flush_file(aside)
        if anew:
            place_anew(aside, path)
        else:
            aside.replace(path)
        flush_folder(path.parent)
    except FileExistsError as error:
        raise RequestFailed(f"{path} exists already.", path=path, hint="Choose another name.") from error
    except OSError as error:
        raise from_os_error(error, path, "write") from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def aside_of(path: Path) -> Path:
    """A name beside `path` that nothing has, for what is to become `path`."""
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST_NAME_BYTES])
    return path.with_name(f".{name}.{os.urandom(4).hex()}{ASIDE_SUFFIX}")


def place_anew(aside: Path, path: Path) -> None:
    """Give the file `aside` the name `path`.

    Raises
    ------
    FileExistsError
        Something has that name; it stays as it is, and so does `aside`.
    OSError
    """
    if os.name == "nt":  # where renaming never replaces
        aside.rename(path)
        return
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        raise
    except OSError:
        _place_without_links(aside, path)
    else:
        aside.unlink()


def _place_without_links(aside: Path, path: Path) -> None:
    """For memory cards and network folders that know no hard links: take the name by an empty file first."""
    path.open("xb").close()
    try:
        aside.replace(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole small file atomically. Raises as `written_aside`."""
    with written_aside(path) as aside:
        aside.write_bytes(content)


def sweep_aside(folder: Path, unused_seconds: float = 0.0) -> int:
    """Remove what interrupted writers left in `folder`; only files that `aside_of` named. Returns how many.

    Where somebody else may be writing just now, `unused_seconds` spares what was written to more recently.
    """
    latest = time.time() - unused_seconds
    swept = 0
    for path in folder.glob(f".*{ASIDE_SUFFIX}"):
        with contextlib.suppress(OSError):
            if _ASIDE_NAME.fullmatch(path.name) and path.is_file() and path.stat().st_mtime <= latest:
                path.unlink()
                swept += 1
    return swept


def sweep_abandoned(folder: Path) -> None:
    """Remove from a folder of the user's what writers left there that were killed more than a day ago."""
    with contextlib.suppress(OSError):
        sweep_aside(folder, _ABANDONED_SECONDS)


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


def flush_file(path: Path) -> None:
    """Make what was written to `path` survive a power cut."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
