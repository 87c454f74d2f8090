"""Waiting for one's turn to set up a folder.

What lives here: the lock on a folder's setting up. What must not: what is done under it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import Busy
from survey.lock import FolderLock

_RETRY_SECONDS = 0.2


@contextlib.contextmanager
def hold(path: Path, token: CancelToken, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `path`; wait for it while another process does. It is removed at the end.

    Raises
    ------
    RequestCancelled
        While waiting.
    """
    lock = _acquire(path, token, on_wait)
    try:
        yield
    finally:
        if sys.platform != "win32":  # where an open file cannot be removed
            path.unlink(missing_ok=True)
        lock.release()


def _acquire(path: Path, token: CancelToken, on_wait: Callable[[], None]) -> FolderLock:
    """The lock on the file that has this name now, not on one that its last holder has just removed."""
    while True:
        token.raise_if_cancelled()
        try:
            lock = FolderLock(path)
        except Busy:
            on_wait()
            token.wait(_RETRY_SECONDS)
            continue
        if lock.is_current():
            return lock
        lock.release()
