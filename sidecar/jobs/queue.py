"""Jobs that wait or run: one at a time (or as many as the settings allow), in the order in which they came.

What lives here: the queue, and the thread that each running job has. What must not: what a job needs before it may be
queued (manager.py), processes (worker.py), when a job is given up (crashes.py).

A running job waits for its worker on a thread of its own; whoever asked for it holds a Future.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from rpc.call import Progress
from rpc.errors import InternalError, OutOfMemory, RequestCancelled, RpcError, WorkerCrashed
from schemas.jobs import Job
from schemas.worker import JobOutcome, RunJobParams
from sidecar.jobs.active import ActiveJob
from sidecar.jobs.crashes import CrashWatch
from sidecar.jobs.keeper import WorkerKeeper
from sidecar.jobs.worker import Worker
from survey.paths import path_to_wire

_END_SECONDS = 0.8

log = logging.getLogger(__name__)


class JobQueue:
    """The jobs under way in this process. Thread-safe."""

    def __init__(
        self,
        workers: WorkerKeeper,
        on_change: Callable[[Job], None],
        max_running: int = 1,
        cache_folder: Path | None = None,
    ) -> None:
        self._workers = workers
        self._cache_folder = None if cache_folder is None else path_to_wire(cache_folder)
        self._on_change = on_change
        self._max_running = max_running
        self._guard = threading.RLock()
        self._active: dict[str, ActiveJob] = {}
        self._waiting: deque[ActiveJob] = deque()
        self._threads: set[threading.Thread] = set()
        self._closed = False

    @property
    def running(self) -> int:
        """How many jobs run."""
        with self._guard:
            return len(self._threads)

    @property
    def waiting(self) -> int:
        """How many jobs wait for another to end."""
        with self._guard:
            return len(self._waiting)

    def find(self, job_id: str) -> ActiveJob | None:
        """The job of this id, if it is under way."""
        with self._guard:
            return self._active.get(job_id)

    def put(self, job: ActiveJob) -> None:
        """Run `job` when its turn comes."""
        with self._guard:
            job.closing = job.closing or self._closed
            self._active[job.job_id] = job
            self._waiting.append(job)
        self._on_change(job.job())
        self._start_next()

    def cancel(self, job_id: str) -> ActiveJob | None:
        """Stop a job, at once where it waits, within seconds where it runs. None where it is not under way."""
        with self._guard:
            job = self._active.get(job_id)
            waits = job is not None and job in self._waiting
            if job is not None and waits:
                self._waiting.remove(job)
        if job is not None:
            job.token.cancel()
        if job is not None and waits:
            self._end(job, RequestCancelled("The job was cancelled."))
        return job

    def close(self) -> None:
        """Stop all jobs; those that nobody cancelled count as interrupted."""
        with self._guard:
            self._closed = True
            jobs, waiting = list(self._active.values()), list(self._waiting)
            self._waiting.clear()
        for job in jobs:
            job.closing = job.closing or not job.token.cancelled
            job.token.cancel()
        for job in waiting:
            self._end(job, RequestCancelled("The program ended."))

    def join(self) -> None:
        """Wait a moment for what was stopped to write down where it stands."""
        with self._guard:
            threads = list(self._threads)
        for thread in threads:
            thread.join(_END_SECONDS)

    def _start_next(self) -> None:
        with self._guard:
            if self._closed or not self._waiting or len(self._threads) >= self._max_running:
                return
            job = self._waiting.popleft()
            thread = threading.Thread(target=self._run, args=(job,), name=f"job {job.job_id}", daemon=True)
            self._threads.add(thread)
        thread.start()

    def _run(self, job: ActiveJob) -> None:
        """The whole of a job's work, on a thread of its own."""
        try:
            outcome = self._work(job)
        except RpcError as error:
            self._end(job, error)
        except Exception as error:
            log.exception("job %s", job.job_id)
            self._end(job, InternalError(f"The job failed because of a fault in this program: {error}"))
        else:
            self._forget(job)
            job.complete(outcome)
        finally:
            with self._guard:
                self._threads.discard(threading.current_thread())
            self._start_next()

    def _work(self, job: ActiveJob) -> JobOutcome:
        """Score, with as many workers as it takes."""
        job.token.raise_if_cancelled()
        job.begin()
        watch = CrashWatch(job.folder)
        if not self._workers.is_warm(job.python):
            job.tell(Progress(message="starting the ML environment"))
        while True:
            try:
                return self._work_once(job, watch)
            except (WorkerCrashed, OutOfMemory) as crash:
                if not watch.has_patience:
                    raise
                job.note(f"starting another worker: {crash.message}")
                job.tell(Progress(message=f"{crash.message} Starting it again."))
            job.token.raise_if_cancelled()

    def _work_once(self, job: ActiveJob, watch: CrashWatch) -> JobOutcome:
        with self._workers.worker(job.python) as worker:
            try:
                return self._score(job, worker)
            except (WorkerCrashed, OutOfMemory):
                watch.enter(worker.ending())
                # One that lives has lied, or holds memory that only its end gives back.
                worker.end()
                raise

    def _score(self, job: ActiveJob, worker: Worker) -> JobOutcome:
        folder = path_to_wire(job.folder.path)
        params = RunJobParams(job_folder=folder, trust=job.trust, cache_folder=self._cache_folder)
        running = worker.call("worker/run", params, JobOutcome, token=job.token, on_progress=job.tell)
        try:
            return running.result()
        except WorkerCrashed as crash:
            if worker.alive:
                raise
            explained = worker.explain(crash)
            for line in worker.last_words():
                job.note(f"worker: {line}")
            raise explained from crash

    def _end(self, job: ActiveJob, error: RpcError) -> None:
        self._forget(job)
        job.stop(error)

    def _forget(self, job: ActiveJob) -> None:
        """Before the job's answer is known: whoever has it may resume the job at once."""
        with self._guard:
            self._active.pop(job.job_id, None)
