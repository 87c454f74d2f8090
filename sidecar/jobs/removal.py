"""Deleting what a job wrote, and nothing else: a note that its user put into the folder stays.

What lives here: which files are a job's. What must not: whether a job may be removed (manager.py).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from rpc.errors import RpcError, from_os_error
from survey import atomic
from survey.job_folder import JobFolder


def delete_job(path: Path) -> int:
    """Delete the job in the folder `path`, and the folder where nothing else is in it; the bytes that this freed.

    A folder that is gone already, or is no job's, frees nothing.

    Raises
    ------
    Busy
        Another program is working on it.
    PermissionRefused, RequestFailed
        A file cannot be deleted.
    """
    try:
        folder = JobFolder.open(path)
    except RpcError:
        return 0
    with folder.lock():
        freed = _size(folder.scores_path) + sum(_size(file) for file in _files(folder))
        try:
            atomic.sweep_aside(folder.path)
            shutil.rmtree(folder.scores_path)
            for file in _files(folder):
                file.unlink(missing_ok=True)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise from_os_error(error, path, "delete") from error
    with contextlib.suppress(OSError):
        folder.lock_path.unlink(missing_ok=True)
        folder.path.rmdir()
    return freed


def _files(folder: JobFolder) -> tuple[Path, ...]:
    # config.json goes last: while it is there, the folder is known as a job's and deleting can be tried again.
    return (
        folder.record_path, folder.log_path, folder.environment_path, folder.ledger_path, folder.recordings_path,
        folder.failures_path, folder.missing_path, folder.predictions_path, folder.predictions_parquet_path,
        folder.summary_path, folder.config_path,
    )  # fmt: skip


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 for what is not there."""
    if path.is_dir():
        return sum(_size(Path(entry)) for entry in os.scandir(path))
    try:
        return path.lstat().st_size
    except OSError:
        return 0
