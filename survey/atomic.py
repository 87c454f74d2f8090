"""Files that are there whole or not at all: written aside, synced, renamed.

What lives here: the one way in which small files (configs, states, summaries) reach the disk. What must
not: what the files mean.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from rpc.errors import RequestFailed, from_os_error


def write_atomically(path: Path, content: bytes, *, overwrite: bool = True) -> None:
    """Write `content` to `path`; whoever reads it sees the old content or the new one, never a mixture.

    A link is followed, and a file that is replaced keeps its permissions.

    Raises
    ------
    RequestFailed
        The file exists and may not be overwritten; DiskFull, PermissionRefused or FileMissing (no such
        folder) as the system says.
    """
    target = Path(os.path.realpath(path))
    if not overwrite and target.exists():
        raise RequestFailed(f"{path} exists already.", path=path, hint="Choose another name, or allow overwriting.")
    aside = target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        _write_synced(aside, content)
        if target.exists():
            aside.chmod(target.stat().st_mode & 0o7777)
        aside.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise from_os_error(error, path, "write") from error
    finally:
        aside.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut, where the system offers that (Windows does not)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        return  # some network file systems refuse it; the rename stands all the same
    finally:
        os.close(descriptor)
