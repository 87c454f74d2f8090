"""inference/* and jobs/*: running a model over recordings, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rpc.call import Progress
from rpc.methods import Params
from schemas.base import Wire
from schemas.config import Config
from schemas.env import EnvironmentChoice

PathText = Annotated[str, Meta(min_length=1)]
JobState = Literal["queued", "preparing", "running", "paused", "completed", "failed", "cancelled", "interrupted"]


class RunParams(Params, frozen=True):
    """inference/run: score the recordings of `config` (or of the file `config_path`).

    `trust` allows running code that a model file carries. With `wait` the answer comes when the job has
    ended, otherwise at once.
    """

    config: Config | None = None
    config_path: PathText | None = None
    environment: EnvironmentChoice = EnvironmentChoice()
    trust: bool = False
    wait: bool = True


class ResumeParams(Params, frozen=True):
    """jobs/resume: go on with a job that was cancelled, interrupted or failed. Files done are not scored again."""

    job_id: str | None = None
    job_folder: PathText | None = None
    environment: EnvironmentChoice = EnvironmentChoice()
    trust: bool = False
    wait: bool = True


class OutputFile(Wire, frozen=True):
    """A file of results."""

    format: str
    path: str


class Failure(Wire, frozen=True):
    """A recording that could not be scored, and why."""

    path: str
    code: int
    message: str


class Job(Wire, frozen=True):
    """A job as it stands. Times are ISO 8601 in UTC; `progress` is the last that was told, while it is under way.

    `files_done`, `files_failed` and `clips` count what the last run did, `files_skipped` the recordings that runs
    before it had done. Of a run that stopped early they count the recordings that it finished. `message` says why
    a job failed, paused or was interrupted.
    """

    job_id: str
    job_folder: str
    name: str
    state: JobState
    model: str
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    files_total: int = 0
    files_done: int = 0
    files_failed: int = 0
    files_skipped: int = 0
    clips: int = 0
    progress: Progress | None = None
    message: str | None = None


class JobReport(Job, frozen=True):
    """What a job did so far; with `wait` false that is nothing yet.

    `files_added` counts recordings that were not there when the job ran before. `realtime_factor` is sound over wall
    time. `failures` holds the first 100; failures.csv in the job folder holds all.
    """

    files_added: int = 0
    audio_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    realtime_factor: float | None = None
    outputs: tuple[OutputFile, ...] = ()
    failures: tuple[Failure, ...] = ()


class ListParams(Params, frozen=True):
    """jobs/list: the jobs that this computer's state folder knows, the newest first; only those in `state`."""

    state: JobState | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


class JobList(Wire, frozen=True):
    """Jobs, the newest first."""

    jobs: tuple[Job, ...]


class GetParams(Params, frozen=True):
    """jobs/get: one job."""

    job_id: str


class CancelParams(Params, frozen=True):
    """jobs/cancel: stop a job that waits or runs. What is scored stays, and the job can be resumed."""

    job_id: str


class RemoveParams(Params, frozen=True):
    """jobs/remove: forget a job; with `delete_files` its folder goes too."""

    job_id: str
    delete_files: bool = False


class Removed(Wire, frozen=True):
    """How much room was made."""

    freed_bytes: int


class LogParams(Params, frozen=True):
    """jobs/log: the last `tail` lines of a job's log."""

    job_id: str
    tail: Annotated[int, Meta(ge=1, le=100_000)] = 200


class JobLog(Wire, frozen=True):
    """Lines, the oldest first."""

    lines: tuple[str, ...]


class FailuresParams(Params, frozen=True):
    """jobs/failures: the recordings that a job could not score, so far where it is under way; the first `limit`."""

    job_id: str
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 1000


class JobFailures(Wire, frozen=True):
    """Recordings that could not be scored, or only in part, and why. `total` counts all of them."""

    failures: tuple[Failure, ...]
    total: int


class JobChanged(Wire, frozen=True):
    """jobs/changed, a notification: a job has a new state."""

    job: Job
