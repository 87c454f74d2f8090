"""inference/* and jobs/*: running a model over recordings, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

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


class JobReport(Wire, frozen=True):
    """What a job did. `files_skipped` were done by an earlier run; `realtime_factor` is sound over wall time.

    `failures` holds the first 100; failures.csv in the job folder holds all.
    """

    job_id: str
    job_folder: str
    state: JobState
    files_total: int
    files_done: int
    files_failed: int
    files_skipped: int
    clips: int
    audio_seconds: float
    elapsed_seconds: float
    realtime_factor: float | None
    outputs: tuple[OutputFile, ...]
    failures: tuple[Failure, ...]
