"""A lock on a folder that the operating system lets go of when its holder dies.

What lives here: one exclusive, non-blocking advisory lock. What must not: what the folder is for.

NOTE: where the file system knows no locks (some network mounts), the folder counts as locked by us: a cluster
without locks must still be able to work.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from types import TracebackType

from rpc.errors import Busy, from_os_error

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class FolderLock:
    """Holds a folder for this process, from construction until `release`.

    Raises
    ------
    Busy
        Another process (or another lock of this one) holds the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise from_os_error(error, path, "write") from error
        try:
            if not _try_lock(self._descriptor):
                raise Busy(f"Another program is working in {path.parent}.", path=path.parent)
        except BaseException:
            self._close()
            raise

    def release(self) -> None:
        """Let go. Idempotent. The file stays: removing it would let two holders lock two files of one name."""
        self._close()

    def is_current(self) -> bool:
        """Whether the locked file still has its name. False where its last holder removed it meanwhile."""
        if self._descriptor is None:
            return False
        try:
            named = os.stat(self.path)  # noqa: PTH116 - to be compared with fstat
        except OSError:
            return False
        return os.path.samestat(named, os.fstat(self._descriptor))

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock at `path`."""
    if not path.exists():
        return False
    try:
        FolderLock(path).release()
    except Busy:
        return True
    return False


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS_HERE:
                return True
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        return True
