"""One job under way: its state, kept in job.json, and whoever wants to hear of it.

What lives here: state moves, the log, progress, the end. What must not: queues, workers.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.errors import DiskFull, InputGone, RequestCancelled, RpcError
from schemas.config import Config
from schemas.jobs import Job, JobReport, JobState
from schemas.worker import JobOutcome
from sidecar.jobs.describe import describe, known_job
from sidecar.jobs.recovery import numbers_reached
from sidecar.jobs.state import follow
from survey.job_folder import JobFolder
from survey.job_report import report_job, with_outcome
from survey.lock import FolderLock

log = logging.getLogger(__name__)

Listener = Callable[[Progress], None]


def now_text() -> str:
    """This moment, as it stands in job.json."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class ActiveJob:
    """A job that waits or runs. It holds the lock of its folder from the beginning to the end. Thread-safe."""

    def __init__(
        self,
        folder: JobFolder,
        config: Config,
        lock: FolderLock,
        python: Path,
        *,
        trust: bool,
        on_change: Callable[[Job], None],
    ) -> None:
        self.folder = folder
        self.config = config
        self.python = python
        self.trust = trust
        self.token = CancelToken()
        self.future: Future[JobReport] = Future()
        self.closing = False
        self._lock = lock
        self._on_change = on_change
        self._record = folder.read_record()
        self._known = known_job(folder, self._record, config)
        self._progress: Progress | None = None
        self._listeners: list[Listener] = []
        self._guard = threading.RLock()

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self._record.job_id

    @property
    def state(self) -> JobState:
        """Where it stands."""
        return self._record.state

    @property
    def ended(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.future.done()

    def job(self) -> Job:
        """The job as a client sees it."""
        with self._guard:
            return describe(self._known, self._record, self._progress)

    def report(self, outcome: JobOutcome | None = None) -> JobReport:
        """The job and what it did so far."""
        with self._guard:
            return report_job(self.job(), self._record, outcome)

    def whereabouts(self) -> Progress:
        """The first that a client hears: which job this is, and where."""
        return Progress(
            title=self._record.name, message=self.state, job_id=self.job_id, job_folder=self._known.job_folder
        )

    def listen(self, listener: Listener) -> None:
        """Tell `listener` all progress from now on, and the last so far."""
        with self._guard:
            self._listeners.append(listener)
            last = self._progress
        if last is not None:
            listener(last)

    def tell(self, progress: Progress) -> None:
        """Pass progress on. What tells how many clips there are makes the job a running one."""
        if progress.kind == "end":
            return  # the worker's last word on its own request, not on the job
        if self.state == "preparing" and progress.total:
            self.move("running")
        with self._guard:
            self._progress = progress
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(progress)

    def move(self, state: JobState, **changes: object) -> None:
        """Go to `state` and write that down, with other `changes` of the record.

        Raises
        ------
        IllegalTransition
            `state` may not follow.
        DiskFull, PermissionRefused, RequestFailed
            job.json cannot be written; the job is in `state` all the same.
        """
        with self._guard:
            before = self._record.state
            self._record = msgspec.structs.replace(self._record, state=follow(before, state), **changes)
            self.note(f"{before} -> {state}" + (f": {self._record.message}" if self._record.message else ""))
            self.folder.write_record(self._record)
        self._on_change(self.job())

    def begin(self) -> None:
        """From waiting to work."""
        # To the millisecond: what the ledger enters from now on belongs to this run, what it entered before does not.
        began = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.move("preparing", started_at=began, ended_at=None, environment=str(self.python))

    def complete(self, outcome: JobOutcome) -> None:
        """End with what the worker did."""
        with self._guard:
            self._record = with_outcome(self._record, outcome)
            if self.state == "preparing" and outcome.clips:
                self.move("running")
            message = "No recording could be scored." if outcome.state == "failed" else None
            self._end_in(outcome.state, message)
        self._settle(lambda: self.future.set_result(self.report(outcome)))

    def skip(self, answer: Callable[[JobReport], JobReport]) -> None:
        """End at once, because nothing was left to do; `answer` completes the report."""
        with self._guard:
            self._end_in("completed", None)
        self._settle(lambda: self.future.set_result(answer(self.report())))

    def stop(self, error: RpcError) -> None:
        """End because of `error`: cancelled, no disk to write on or to read from, our own end, or failed.

        What is scored stays.
        """
        state: JobState = "failed"
        if self.closing:
            state = "interrupted"
        elif isinstance(error, RequestCancelled):
            state = "cancelled"
        elif isinstance(error, DiskFull | InputGone) and self.state != "queued":
            state = "paused"
        message = None if state == "cancelled" else error.message
        ended = datetime.now(UTC) if self.state in ("preparing", "running") else None
        with self._guard:
            self._record = numbers_reached(self.folder, self._record, ended)
            self._end_in(state, message, None if state == "cancelled" else error.code)
        error.job_id, error.job_folder, error.state = self.job_id, self._known.job_folder, self.state
        self._settle(lambda: self.future.set_exception(error))

    def note(self, line: str) -> None:
        """Add a line to the job's log. A log that cannot be written does not stop a job."""
        try:
            with self.folder.log_path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(f"{now_text()} {line}\n")
        except OSError:
            log.warning("cannot write %s", self.folder.log_path)

    def _end_in(self, state: JobState, message: str | None, code: int | None = None) -> None:
        self._progress = None
        try:
            self.move(state, ended_at=now_text(), message=message, code=code)
        except RpcError:
            # The disk is full or gone. The job has ended; recovery will find it interrupted.
            log.exception("the end of job %s could not be written down", self.job_id)

    def _settle(self, answer: Callable[[], None]) -> None:
        self._lock.release()
        with contextlib.suppress(InvalidStateError):
            answer()
