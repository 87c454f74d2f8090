"""Takes the real stdin and stdout away from everybody else.

What lives here: the shuffling of file descriptors 0, 1 and 2. What must not: reading or writing them.

A print in a library, a `puts` in native code or an `echo` of a child would corrupt the conversation. So
the real stdout moves to a descriptor that nobody knows and no child inherits, and descriptor 1 becomes stderr.
The same for stdin: a child that reads gets nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import NamedTuple

_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


class Stdio(NamedTuple):
    """The descriptors of the conversation. `stdout` is None where it was closed before we started."""

    stdin: int
    stdout: int | None


def take_stdio() -> Stdio:
    """Move stdin and stdout aside; point descriptor 0 at nothing and 1 at stderr. Call it once, first."""
    _ensure_stderr()
    stdin = _move_aside(0)
    stdout = _move_aside(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if nothing > 2:
        os.close(nothing)
    _retarget_python()
    if stdin is None:
        stdin = os.open(os.devnull, os.O_RDONLY)
    for descriptor in (stdin, stdout):
        if descriptor is not None:
            _make_binary(descriptor)
            _widen(descriptor)
    return Stdio(stdin, stdout)


def _ensure_stderr() -> None:
    """A closed descriptor 2 would be given to the next file that is opened: nothing may write there."""
    try:
        os.fstat(2)
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        if nothing != 2:
            os.dup2(nothing, 2)
            os.close(nothing)


def _move_aside(descriptor: int) -> int | None:
    """A private copy above the standard three, not inherited by children; None where it is closed."""
    copies = []
    try:
        while True:
            copy = os.dup(descriptor)
            if copy > 2:
                return copy
            copies.append(copy)
    except OSError:
        return None
    finally:
        for copy in copies:
            os.close(copy)


def _retarget_python() -> None:
    """Prints go to stderr line by line; sys.stdin is at its end."""
    if sys.stdout is None:
        sys.stdout = sys.stderr
    with contextlib.suppress(AttributeError, ValueError, OSError):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def _make_binary(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(descriptor, os.O_BINARY)


def _widen(descriptor: int) -> None:
    """A pipe or socket of 1 MB instead of 64 or 208 KB saves context switches with large messages. Best effort."""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            _widen_socket(descriptor)
        elif sys.platform == "linux":
            import fcntl

            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_BYTES)


def _widen_socket(descriptor: int) -> None:
    import socket

    with socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIPE_BYTES)
