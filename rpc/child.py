"""Children that cannot outlive us, with an environment that is not ours.

What lives here: spawning, ending and waiting for child processes. What must not: what they are asked to do
(connection.py talks to those that speak JSON-RPC).

What was measured and holds on Linux:

* PR_SET_PDEATHSIG fires when the *thread* that spawned ends, so one thread that lives as long as the process
  does all spawning; grandchildren do not inherit it.
* A server of ours (`own_session=True`) therefore leads a session of its own, gets no SIGKILL of its parent's
  death (it would die before it could act) and on the end of its stdin kills its own process group
  (`channel.Options.kill_group_at_end`).
* Windows: containment.py puts this process and all its children into a Job Object that ends with it. macOS has
  no PDEATHSIG: what speaks JSON-RPC sees the end of its stdin there, another program ends on its own.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

from rpc.cancel import CancelToken
from rpc.errors import RequestCancelled, TimedOut, from_os_error

if TYPE_CHECKING:  # a server starts without them
    import subprocess
    from pathlib import Path

    Process = subprocess.Popen[bytes]

Stream = int | None
PIPE = -1
DEVNULL = -3
"""As in subprocess."""

_PR_SET_PDEATHSIG = 1
_OURS = ("_PYI_", "_MEIPASS", "PYTHON", "PYINSTALLER_")


def clean_environment(base: Mapping[str, str] | None = None, **extra: str) -> dict[str, str]:
    """The environment for a child: what a frozen program changed is put back, Python's own variables go.

    A program started from a frozen one would otherwise load the frozen one's libraries.
    """
    source = os.environ if base is None else base
    env = {name: text for name, text in source.items() if not name.startswith(_OURS)}
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH"):
        original = env.pop(f"{name}_ORIG", None)
        if original is not None:
            env[name] = original
        elif getattr(sys, "frozen", False):
            env.pop(name, None)
    return env | extra


def spawn(
    argv: Sequence[str | Path],
    *,
    stdin: Stream = PIPE,
    stdout: Stream = PIPE,
    stderr: Stream = None,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    own_session: bool = False,
) -> Process:
    """Start a child that ends when we do.

    Parameters
    ----------
    argv
        The program and its arguments; never a shell line.
    stdin
        As for subprocess.Popen; default is a pipe.
    stdout
        As for subprocess.Popen; default is a pipe.
    stderr
        None: our own stderr, so that its log lines join ours.
    cwd
        The folder it starts in; default is ours.
    env
        The whole environment; default is `clean_environment()`.
    own_session
        For servers of ours, which end their own process group when their stdin ends. Any other program gets
        its own process group, and SIGKILL when we die (Linux).

    Raises
    ------
    RequestFailed
        The leaf that fits, when the program cannot be started.
    """
    import subprocess

    command = [str(word) for word in argv]

    def start() -> Process:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=dict(clean_environment() if env is None else env),
            start_new_session=own_session,
            process_group=None if own_session or os.name == "nt" else 0,
            preexec_fn=None if own_session else _die_with_parent(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    try:
        return _Spawner.shared().call(start)
    except OSError as error:
        raise from_os_error(error, command[0], "start") from error


def python_script(python: Path, script: Path, *arguments: str) -> list[str | Path]:
    """The command line for a script of ours under another interpreter.

    -I: neither the user's own packages nor the working folder may replace that interpreter's. From a frozen program
    also -B: what is installed, and signed, is not written into; the compiled modules are there already.
    """
    flags = ["-I", "-B"] if getattr(sys, "frozen", False) else ["-I"]
    return [python, *flags, script, *arguments]


class Finished(NamedTuple):
    """What a program that ran to its end left behind."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run(
    argv: Sequence[str | Path],
    *,
    token: CancelToken | None = None,
    timeout: float | None = None,
    stdin: bytes = b"",
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program to its end and keep what it printed. Blocks; a cancel or the timeout (seconds) kills it.

    Raises
    ------
    RequestCancelled, TimedOut, RequestFailed
        The token went up; it took too long; it could not be started.
    """
    import subprocess

    process = spawn(argv, stderr=PIPE, cwd=cwd, env=env)
    if token is not None:
        token.on_cancel(lambda: kill(process))
    try:
        stdout, stderr = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        raise TimedOut(f"{argv[0]} did not end within {timeout:g} seconds.") from None
    finally:
        kill(process)
    if token is not None and token.cancelled:
        raise RequestCancelled
    return Finished(process.returncode, stdout, stderr)


def kill(process: Process) -> None:
    """End a child and its process group, now. Harmless when it has ended already. Never blocks for long."""
    import subprocess

    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if os.name == "nt":
            process.kill()
        elif os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)


def end(process: Process, grace: float = 2.0) -> int:
    """Close the child's stdin, give it `grace` seconds to leave by itself, then kill its group.

    Returns its exit code (negative: the signal that ended it).
    """
    import subprocess

    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    kill(process)
    return process.returncode if process.returncode is not None else -9


def reap(process: Process, timeout: float) -> None:
    """Wait until a child has ended, at most `timeout` seconds."""
    import subprocess

    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout)


def describe_exit(process: Process) -> str:
    """How a child ended, for a sentence: "exit code 3", "signal SIGKILL"."""
    code = process.poll()
    if code is None:
        return "still running"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _die_with_parent() -> Callable[[], None] | None:
    """What a fresh child calls between fork and exec to be killed when we die. Linux only."""
    if sys.platform != "linux":
        return None
    import ctypes  # 5 ms that a server without children need not pay

    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # we died in between: the signal would never come
            os._exit(1)

    return arm


class _Spawner:
    """The one thread that starts children. It never ends, so PR_SET_PDEATHSIG fires with the process only."""

    _instance: _Spawner | None = None
    _creation = threading.Lock()

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[tuple[Callable[[], Process], Future[Process]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="spawner", daemon=True).start()

    @classmethod
    def shared(cls) -> _Spawner:
        with cls._creation:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    def call(self, start: Callable[[], Process]) -> Process:
        answer: Future[Process] = Future()
        self._orders.put((start, answer))
        return answer.result()

    def _work(self) -> None:
        while True:
            start, answer = self._orders.get()
            try:
                answer.set_result(start())
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
                answer.set_exception(error)
