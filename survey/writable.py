"""Can a folder be made and written? Found out by trying, with nothing left behind.

What lives here: that try. What must not: what is to be written.

Permissions alone do not tell: a drive may be mounted read-only, a network share may treat its users as it likes, a name
may be one that the disk cannot hold. The try happens in a folder of its own, so that nobody meets it who makes the
same folder at the same time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from rpc.errors import FileMissing, PermissionRefused, RequestFailed, from_os_error

_TRIAL = ".writable-"


def refusal_to_write(wanted: Path) -> RequestFailed | None:
    """Why no file can be written in the folder `wanted`, which need not be there yet; None where one can."""
    existing = next((folder for folder in (wanted, *wanted.parents) if os.path.lexists(folder)), None)
    if existing is None or not existing.exists():
        return FileMissing(f"There is no drive or folder for {wanted}.", path=wanted)
    if not existing.is_dir():
        return PermissionRefused(f"{existing} is a file, so no folder can be made there.", path=wanted)
    try:
        _try_in(existing, wanted.relative_to(existing))
    except FileNotFoundError:  # of /proc and its like: there is a folder, but nothing can be made in it
        return PermissionRefused(f"No folder can be made in {existing}.", path=wanted)
    except OSError as error:
        return from_os_error(error, existing, "write in")
    return None


def _try_in(existing: Path, missing: Path) -> None:
    """Make the folders `missing` and a file in them, below a folder for this trial in `existing`."""
    trial = Path(tempfile.mkdtemp(prefix=_TRIAL, dir=existing))
    try:
        folder = trial / missing
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trial").write_bytes(b"trial")
    finally:
        shutil.rmtree(trial, ignore_errors=True)
