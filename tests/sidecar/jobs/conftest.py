"""A manager of jobs whose worker is tests/fakes/worker.py, and recordings for it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from rpc.cancel import CancelToken
from schemas.config import Config, InputConfig, OutputConfig, ZooModel
from schemas.jobs import JobChanged, JobState
from sidecar.jobs.active import ActiveJob
from sidecar.jobs.manager import JobManager

FAKE_WORKER = Path(__file__).resolve().parents[2] / "fakes" / "worker.py"
PYTHON = Path(sys.executable)
PATIENCE_SECONDS = 30.0


class Changes:
    """The jobs/changed notifications, as they come."""

    def __init__(self) -> None:
        self.states: list[tuple[str, JobState]] = []
        self._arrived = threading.Condition()

    def __call__(self, method: str, params: msgspec.Struct) -> None:
        assert method == "jobs/changed"
        assert isinstance(params, JobChanged)
        with self._arrived:
            self.states.append((params.job.job_id, params.job.state))
            self._arrived.notify_all()

    def wait_for(self, job_id: str, state: JobState) -> None:
        with self._arrived:
            came = self._arrived.wait_for(lambda: (job_id, state) in self.states, PATIENCE_SECONDS)
        assert came, f"{job_id} never was {state}: {self.states}"

    def of(self, job_id: str) -> list[JobState]:
        return [state for known, state in self.states if known == job_id]


class Jobs:
    """A manager with what the tests need around it."""

    def __init__(self, folder: Path, state: str = "state", **settings: Any) -> None:
        self.folder = folder
        self.changes = Changes()
        self.manager = JobManager(folder / state, self.changes, worker_script=FAKE_WORKER, **settings)

    def config(self, behaviour: str = "ok", **options: Any) -> Config:
        return Config(
            name=behaviour,
            model=ZooModel(name=behaviour, options=options),
            input=InputConfig(folders=(str(self.folder / "recordings"),)),
            output=OutputConfig(folder=str(self.folder / "output")),
        )

    def start(self, behaviour: str = "ok", **options: Any) -> ActiveJob:
        return self.manager.start(self.config(behaviour, **options), PYTHON, CancelToken())

    def waiting(self) -> tuple[ActiveJob, Path]:
        """A job that runs until a file appears."""
        release = self.folder / "release"
        job = self.start("waits", release=str(release))
        self.changes.wait_for(job.job_id, "running")
        return job, release

    def resume(self, job: ActiveJob) -> ActiveJob:
        return self.manager.resume(self.manager.folder_of(job.job_id, None), PYTHON, CancelToken())


def sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(800, np.float32), 8000)


@pytest.fixture
def make_jobs(tmp_path: Path) -> Iterator[Callable[..., Jobs]]:
    for name in ("a.wav", "b.wav"):
        sound(tmp_path / "recordings" / name)
    made: list[Jobs] = []

    def make(**settings: Any) -> Jobs:
        made.append(Jobs(tmp_path, **settings))
        return made[-1]

    yield make
    for jobs in made:
        jobs.manager.close()


@pytest.fixture
def jobs(make_jobs: Callable[..., Jobs]) -> Jobs:
    return make_jobs()
