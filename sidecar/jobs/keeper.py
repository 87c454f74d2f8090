"""Which worker does what: warm ones are used again, one runs one job at a time, idle ones are ended.

What lives here: the workers of all interpreters. What must not: one process (worker.py), jobs.

Importing the ML packages takes 5 to 17 s, so a worker lives on after a job. It holds gigabytes, so it is ended
after ten idle minutes, and when another environment is asked for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.errors import Busy, RequestFailed, WorkerCrashed
from sidecar.jobs.worker import CANCEL_GRACE_SECONDS, Worker, worker_script

T = TypeVar("T")

IDLE_SECONDS = 600.0

log = logging.getLogger(__name__)


class _Kept:
    """A worker, how many use it, and whether a job is among them."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.users = 0
        self.has_job = False
        self.timer: threading.Timer | None = None

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class WorkerKeeper:
    """The workers of this process, as many per interpreter as jobs run in it at once. Thread-safe."""

    def __init__(
        self,
        script: Path | None = None,
        idle_seconds: float = IDLE_SECONDS,
        cancel_grace_seconds: float = CANCEL_GRACE_SECONDS,
    ) -> None:
        self._script = script or worker_script()
        self._idle_seconds = idle_seconds
        self._cancel_grace_seconds = cancel_grace_seconds
        self._lock = threading.Lock()
        self._kept: list[_Kept] = []
        self._closed = False

    def is_warm(self, python: Path) -> bool:
        """Whether a worker for this interpreter runs already, and runs no job."""
        return any(kept.worker.alive and not kept.has_job for kept in self._of(python))

    @contextmanager
    def worker(self, python: Path) -> Iterator[Worker]:
        """A worker of this interpreter for a job, warm where there is one, that is not ended meanwhile.

        Raises
        ------
        EnvironmentNotReady
            The interpreter cannot be started.
        """
        kept = self._take(python, for_job=True)
        try:
            yield kept.worker
        finally:
            self._give_back(kept, had_job=True)

    def ask(
        self,
        python: Path,
        method: str,
        params: msgspec.Struct,
        result_type: type[T],
        token: CancelToken,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Future[T]:
        """One question to a worker; the answer comes as a Future."""
        kept = self._take(python, for_job=False)
        answer: Future[T] = Future()

        def settle(asked: Future[Any]) -> None:
            self._give_back(kept, had_job=False)
            error = asked.exception()
            if isinstance(error, WorkerCrashed):
                error = kept.worker.explain(error)
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(asked.result())

        asked = kept.worker.call(method, params, result_type, token=token, on_progress=on_progress)
        asked.add_done_callback(settle)
        return answer

    def end_idle(self, python: Path) -> None:
        """End the idle workers of an interpreter: what they have imported is not what its environment holds now."""
        with self._lock:
            idle = [kept for kept in self._of(python) if not kept.users]
            self._forget(idle)
        for kept in idle:
            kept.worker.end()

    def release(self, folder: Path) -> None:
        """End the workers whose interpreter lies below `folder`, before it is replaced or removed.

        Raises
        ------
        Busy
            One of them is at work.
        """
        with self._lock:
            below = [kept for kept in self._kept if kept.worker.python.is_relative_to(folder)]
            if any(kept.users for kept in below):
                raise Busy(
                    f"A job is using the ML environment in {folder}.", path=folder, hint="Wait for it, or cancel it."
                )
            self._forget(below)
        for kept in below:
            kept.worker.end()

    def close(self) -> None:
        """End every worker."""
        with self._lock:
            self._closed = True
            kept = list(self._kept)
            self._forget(kept)
        for one in kept:
            one.worker.end()

    def _of(self, python: Path) -> list[_Kept]:
        return [kept for kept in tuple(self._kept) if kept.worker.python == python]

    def _take(self, python: Path, *, for_job: bool) -> _Kept:
        with self._lock:
            if self._closed:
                raise RequestFailed("The sidecar is ending.")
            self._forget([kept for kept in self._kept if not kept.worker.alive])
            fit = [kept for kept in self._of(python) if not (for_job and kept.has_job)]
            kept = fit[0] if fit else self._start(python)
            kept.stop_timer()
            kept.users += 1
            kept.has_job = kept.has_job or for_job
            return kept

    def _start(self, python: Path) -> _Kept:
        self._end_idle_others(python)
        kept = _Kept(Worker(python, self._script, self._cancel_grace_seconds))
        self._kept.append(kept)
        return kept

    def _end_idle_others(self, python: Path) -> None:
        """Two environments at once would hold gigabytes twice."""
        others = [kept for kept in self._kept if kept.worker.python != python and not kept.users]
        self._forget(others)
        for kept in others:
            threading.Thread(target=kept.worker.end, daemon=True).start()

    def _forget(self, gone: list[_Kept]) -> None:
        for kept in gone:
            kept.stop_timer()
            self._kept.remove(kept)

    def _give_back(self, kept: _Kept, *, had_job: bool) -> None:
        with self._lock:
            kept.users -= 1
            kept.has_job = kept.has_job and not had_job
            if kept.users or self._closed or kept not in self._kept:
                return
            kept.timer = threading.Timer(self._idle_seconds, self._end_idle, (kept,))
            kept.timer.daemon = True
            kept.timer.start()

    def _end_idle(self, kept: _Kept) -> None:
        with self._lock:
            if kept.users or kept.timer is None or kept not in self._kept:
                return
            self._forget([kept])
        log.info("ending the idle worker %d", kept.worker.pid)
        kept.worker.end()
