"""The processes that run models: started when needed, kept warm between jobs, ended when idle.

What lives here: one worker process and the keeper of them. What must not: jobs.

Importing the ML packages takes 5 to 17 s, so a worker lives on after a job. It holds gigabytes, so it is ended
after ten idle minutes, and when another environment is asked for.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rpc import child
from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.connection import Connection
from rpc.errors import Busy, EnvironmentNotReady, RequestFailed, WorkerCrashed

T = TypeVar("T")

IDLE_SECONDS = 600.0
_TAIL_LINES = 100
_TAIL_SECONDS = 1.0
_END_GRACE = 1.0
_LOOK_SECONDS = 5.0
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

    def __init__(self, python: Path, script: Path) -> None:
        self.python = python
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        try:
            # -I: neither the user's own packages nor the working folder may replace those of the environment.
            self._process = child.spawn([python, "-I", script], stderr=child.PIPE, own_session=True)
        except RequestFailed as error:
            message = f"The interpreter {python} cannot be started."
            raise EnvironmentNotReady(message, path=python, hint="Set up the ML environment again.") from error
        self._listener = threading.Thread(target=self._listen, name="worker stderr", daemon=True)
        self._listener.start()
        self._connection = Connection(self._process, name="worker")

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
        if how.startswith("exit code") and not _is_python(self.python):
            advice = "Correct the setting for the ML environment, or set one up (env/setup)."
            return EnvironmentNotReady(f"{self.python} is no Python interpreter.", path=self.python, hint=advice)
        fault = _fault_in(lines)
        said = f" It said last: {fault}" if fault else ""
        return WorkerCrashed(f"The process that runs the model ended unexpectedly ({how}).{said}", hint=_advice(how))

    def last_words(self) -> list[str]:
        """The end of what it wrote to stderr."""
        return [line for line in tuple(self._tail) if line.strip()]

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


class WorkerKeeper:
    """At most one warm worker per interpreter. Thread-safe."""

    def __init__(self, script: Path | None = None, idle_seconds: float = IDLE_SECONDS) -> None:
        self._script = script or worker_script()
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._workers: dict[Path, Worker] = {}
        self._users: dict[Path, int] = {}
        self._timers: dict[Path, threading.Timer] = {}
        self._closed = False

    def is_warm(self, python: Path) -> bool:
        """Whether a worker for this interpreter runs already."""
        worker = self._workers.get(python)
        return worker is not None and worker.alive

    @contextmanager
    def worker(self, python: Path) -> Iterator[Worker]:
        """A worker for this interpreter, warm where there is one, that is not ended meanwhile.

        Raises
        ------
        EnvironmentNotReady
            The interpreter cannot be started.
        """
        worker = self._take(python)
        try:
            yield worker
        finally:
            self._give_back(python)

    def ask(
        self, python: Path, method: str, params: msgspec.Struct, result_type: type[T], token: CancelToken
    ) -> Future[T]:
        """One question to a worker; the answer comes as a Future."""
        worker = self._take(python)
        answer: Future[T] = Future()

        def settle(asked: Future[Any]) -> None:
            self._give_back(python)
            error = asked.exception()
            if isinstance(error, WorkerCrashed):
                error = worker.explain(error)
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(asked.result())

        worker.call(method, params, result_type, token=token).add_done_callback(settle)
        return answer

    def release(self, folder: Path) -> None:
        """End the workers whose interpreter lies below `folder`, before it is replaced or removed.

        Raises
        ------
        Busy
            One of them is at work.
        """
        with self._lock:
            below = [python for python in self._workers if python.is_relative_to(folder)]
            if any(self._users.get(python) for python in below):
                raise Busy(
                    f"A job is using the ML environment in {folder}.", path=folder, hint="Wait for it, or cancel it."
                )
            for python in below:
                timer = self._timers.pop(python, None)
                if timer is not None:
                    timer.cancel()
            workers = [self._workers.pop(python) for python in below]
        for worker in workers:
            worker.end()

    def close(self) -> None:
        """End every worker."""
        with self._lock:
            self._closed = True
            workers, self._workers = list(self._workers.values()), {}
            timers, self._timers = list(self._timers.values()), {}
        for timer in timers:
            timer.cancel()
        for worker in workers:
            worker.end()

    def _take(self, python: Path) -> Worker:
        with self._lock:
            if self._closed:
                raise RequestFailed("The sidecar is ending.")
            timer = self._timers.pop(python, None)
            if timer is not None:
                timer.cancel()
            worker = self._workers.get(python)
            if worker is None or not worker.alive:
                self._end_idle_others(python)
                worker = self._workers[python] = Worker(python, self._script)
            self._users[python] = self._users.get(python, 0) + 1
            return worker

    def _end_idle_others(self, python: Path) -> None:
        """Two environments at once would hold gigabytes twice."""
        for other in [other for other in self._workers if other != python and not self._users.get(other)]:
            timer = self._timers.pop(other, None)
            if timer is not None:
                timer.cancel()
            threading.Thread(target=self._workers.pop(other).end, daemon=True).start()

    def _give_back(self, python: Path) -> None:
        with self._lock:
            self._users[python] -= 1
            if self._users[python] or self._closed:
                return
            timer = self._timers[python] = threading.Timer(self._idle_seconds, self._end_idle, (python,))
            timer.daemon = True
            timer.start()

    def _end_idle(self, python: Path) -> None:
        with self._lock:
            if self._users.get(python) or self._timers.pop(python, None) is None:
                return
            worker = self._workers.pop(python, None)
        if worker is not None:
            log.info("ending the idle worker %d", worker.pid)
            worker.end()
