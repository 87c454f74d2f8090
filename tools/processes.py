"""Running other programs so that none of them outlives this one.

What lives here: `run`, for the tools and dev.py. The sidecar's own children are spawned by rpc/child.py,
which may not be imported here: these tools run before anything is installed.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

_PR_SET_PDEATHSIG = 1


class CommandFailed(Exception):
    """A program ended with a code other than 0."""

    def __init__(self, command: Sequence[str], code: int) -> None:
        super().__init__(f"{Path(command[0]).name} {' '.join(command[1:4])} ... ended with code {code}")
        self.code = code


def run(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run a program to its end; its output is ours. It is ended when this process ends, however that happens.

    Raises
    ------
    CommandFailed
        If it ends with a code other than 0.
    """
    code = call(command, cwd=cwd, env=env)
    if code != 0:
        raise CommandFailed([str(part) for part in command], code)


def call(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> int:
    """As `run`, but gives back the exit code."""
    with running(command, cwd=cwd, env=env) as child:
        return child.wait()


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs meanwhile, its output ours or in the file `output`. Leaving the context ends it."""
    # The kernel's parent-death signal is bound to the spawning thread, which must therefore be the main one.
    follows_parent = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
    sys.stdout.flush()
    with _signals_raised():
        child = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=None if env is None else dict(env),
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            preexec_fn=_die_with_parent if follows_parent else None,
        )
        try:
            yield child
        finally:
            _end(child)


def _die_with_parent() -> None:
    """Runs in the child between fork and exec: ask the kernel for SIGTERM when the parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    """While inside, being asked to end raises SystemExit, so that every child on the way out is ended."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    previous = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
