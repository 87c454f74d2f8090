"""Writing what a descriptor takes without waiting.

What lives here: three ways to do so, which one a descriptor allows, and whether input waits to be read. What must
not: queues, threads.

The descriptor may be shared with the client, so it is never made non-blocking itself.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Callable, Sequence
from typing import Any

Piece = bytes | memoryview
WriteAtOnce = Callable[[Sequence[Piece]], int]
"""Writes some of the bytes of the pieces, maybe none, and returns how many; never waits.

Raises
------
OSError
    The other side has closed its end.
"""

_MOST_PIECES = 64
_READY_BYTES = 32 * 1024  # more, a block at a time, is better left to whoever may wait
_PIPE_BYTES = getattr(select, "PIPE_BUF", 512)  # what a pipe that is ready takes without waiting (POSIX)
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ESPIPE, errno.EINVAL, errno.ENOSYS}


def at_once_writer(descriptor: int) -> WriteAtOnce | None:
    """The best way for `descriptor`; None where the system has none (Windows)."""
    if not hasattr(select, "poll"):
        return None
    if stat.S_ISSOCK(os.fstat(descriptor).st_mode):  # Node gives its children sockets
        return _to_socket(descriptor)
    if hasattr(os, "RWF_NOWAIT"):
        return _Pipe(descriptor)
    return _to_ready(descriptor)


def input_waits(descriptor: int) -> Callable[[], bool]:
    """A question to ask again and again: whether reading from `descriptor` would not wait. Windows cannot tell: no."""
    if not hasattr(select, "poll"):
        return lambda: False
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda: bool(poll.poll(0))


def _to_socket(descriptor: int) -> WriteAtOnce:
    import socket

    connection = socket.socket(fileno=os.dup(descriptor))

    def write(pieces: Sequence[Piece]) -> int:
        try:
            return connection.sendmsg(pieces[:_MOST_PIECES], [], socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    return write


class _Pipe:
    """One call that says it will not wait (Linux); where a kernel knows that of files only, the portable way."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._instead: WriteAtOnce | None = None

    def __call__(self, pieces: Sequence[Piece]) -> int:
        if self._instead is not None:
            return self._instead(pieces)
        try:
            return os.pwritev(self._descriptor, pieces[:_MOST_PIECES], -1, os.RWF_NOWAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            self._instead = _to_ready(self._descriptor)
            return self._instead(pieces)


def _to_ready(descriptor: int) -> WriteAtOnce:
    """Ask first, then write no more than a ready pipe takes."""
    poll: Any = select.poll()
    poll.register(descriptor, select.POLLOUT)

    def write(pieces: Sequence[Piece]) -> int:
        view = memoryview(pieces[0])[:_READY_BYTES]
        written = 0
        while written < len(view) and poll.poll(0):
            try:
                written += os.write(descriptor, view[written : written + _PIPE_BYTES])
            except BlockingIOError:
                break
        return written

    return write
