"""The process that runs models, as the sidecar sees it.

What lives here: one worker: started, called, ended, and what its death was. What must not: jobs, or when a worker is
started and ended (keeper.py).
"""

from __future__ import annotations

import logging
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import msgspec

from rpc import child
from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.connection import Connection
from rpc.errors import EnvironmentNotReady, RequestFailed, WorkerCrashed
from survey.ledger import Ending

T = TypeVar("T")

CANCEL_GRACE_SECONDS = 5.0
_TAIL_LINES = 100
_TAIL_SECONDS = 1.0
_END_GRACE = 1.0
_LOOK_SECONDS = 5.0
_KILL = getattr(signal, "SIGKILL", None)
_FAULT = re.compile(r"Traceback|fatal\b|[\w.]*(Error|Exception)\b(:|$)|terminate called", re.IGNORECASE)

log = logging.getLogger(__name__)


def worker_script() -> Path:
    """ml_runtime's entry: beside the frozen executable, or in the checkout."""
    frozen = getattr(sys, "frozen", False)
    root = Path(sys.executable).resolve().parent if frozen else Path(__file__).resolve().parents[2]
    return root / "ml_runtime" / "__main__.py"


class Worker:
    """One process that runs models. Thread-safe.

    Raises
    ------
    EnvironmentNotReady
        The interpreter cannot be started.
    """

    def __init__(self, python: Path, script: Path, cancel_grace_seconds: float = CANCEL_GRACE_SECONDS) -> None:
        self.python = python
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        try:
            command = child.python_script(python, script)
            self._process = child.spawn(command, stderr=child.PIPE, own_session=True)
        except RequestFailed as error:
            message = f"The interpreter {python} cannot be started."
            raise EnvironmentNotReady(message, path=python, hint="Set up the ML environment again.") from error
        self._listener = threading.Thread(target=self._listen, name="worker stderr", daemon=True)
        self._listener.start()
        self._connection = Connection(self._process, name="worker", cancel_grace=cancel_grace_seconds)

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return not self._connection.closed

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def call(
        self,
        method: str,
        params: msgspec.Struct,
        result_type: type[T],
        *,
        token: CancelToken | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Future[T]:
        """Ask something; see Connection.call. What fails because the process died is told by `explain`."""
        return self._connection.call(method, params, result_type, token=token, on_progress=on_progress)

    def explain(self, crash: WorkerCrashed) -> RequestFailed:
        """The same crash, with the fault that the process told of, if it did, and what may help."""
        self._listener.join(_TAIL_SECONDS)
        lines = self.last_words()
        missing = next((line for line in reversed(lines) if line.startswith("ModuleNotFoundError: ")), None)
        if missing is not None:
            package = missing.partition("No module named ")[2].strip("'\" ") or "a package"
            return EnvironmentNotReady(
                f"The ML environment lacks {package}.", path=self.python, hint="Set up the ML environment again."
            )
        how = child.describe_exit(self._process)
        left_by_itself = self._connection.babbled or how.startswith("exit code")
        if left_by_itself and not _is_python(self.python):
            advice = "Correct the setting for the ML environment, or set one up (env/setup)."
            return EnvironmentNotReady(f"{self.python} is no Python interpreter.", path=self.python, hint=advice)
        if self._connection.babbled:
            return crash
        fault = _fault_in(lines)
        said = f" It said last: {fault}" if fault else ""
        return WorkerCrashed(f"The process that runs the model ended unexpectedly ({how}).{said}", hint=_advice(how))

    def last_words(self) -> list[str]:
        """The end of what it wrote to stderr."""
        return [line for line in tuple(self._tail) if line.strip()]

    def ending(self) -> Ending:
        """How it ended; one that lives, or left by itself, is at fault."""
        code = self._process.poll()
        return "kill" if code is not None and -code == _KILL else "fault"

    def end(self) -> None:
        """End it, now or after a short grace."""
        self._connection.close(_END_GRACE)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            self._tail.append(line)
            log.info("worker %d: %s", self._process.pid, line)


def _is_python(program: Path) -> bool:
    """Whether it can add; asked only of what has just ended, for a run need not wait for this."""
    try:
        return child.run([program, "-I", "-c", "print(40 + 2)"], timeout=_LOOK_SECONDS).stdout.strip() == b"42"
    except RequestFailed:
        return False


def _fault_in(lines: Sequence[str]) -> str | None:
    """The line that tells of a fault; libraries write warnings too, which would read as the cause."""
    fatal = next((line for line in reversed(lines) if line.startswith("Fatal Python error")), None)
    if fatal is not None:  # the stacks of all threads follow it
        return fatal
    return lines[-1] if lines and _FAULT.match(lines[-1]) else None


def _advice(how: str) -> str:
    if how == "signal SIGKILL":
        return "The computer may have run out of memory: try a smaller batch size, or resume with fewer programs open."
    if how in ("signal SIGSEGV", "signal SIGBUS", "signal SIGILL", "signal SIGABRT"):
        return "A library of the ML environment crashed. Resume the job; if it happens again, set the device to cpu."
    return "Resume the job: all but the last moments of its work is kept. The job's log tells more."
