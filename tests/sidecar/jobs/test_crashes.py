"""A worker that dies is replaced and the job goes on; one that dies again and again is not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from rpc.errors import DiskFull, InputGone, WorkerCrashed
from schemas.models import ModelList
from schemas.worker import ModelsParams
from sidecar.jobs.crashes import CrashWatch
from sidecar.jobs.index import JobIndex
from sidecar.jobs.worker import Worker
from survey.ledger import Crashed, Ending, Ledger, Scored, Stamp, Started
from tests.sidecar.jobs.conftest import FAKE_WORKER, PATIENCE_SECONDS, PYTHON, Jobs

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


def crashes(jobs: Jobs, job_id: str) -> int:
    return sum("starting another worker" in line for line in jobs.manager.log_of(job_id, 1000))


@pytest.mark.parametrize("behaviour", ["dies once", "once out of memory"])
def test_the_job_goes_on_with_another_worker(jobs: Jobs, behaviour: str) -> None:
    job = jobs.start(behaviour)

    report = job.future.result(PATIENCE_SECONDS)

    assert (report.state, report.clips) == ("completed", 2)
    assert jobs.changes.of(job.job_id) == ["queued", "preparing", "running", "completed"]
    assert crashes(jobs, job.job_id) == 1
    suspects = [event.recording.file for event in Ledger(job.folder.ledger_path).read() if isinstance(event, Crashed)]
    assert [Path(file).name for file in suspects] == ["a.wav", "b.wav"]


def test_whoever_waits_is_told_that_it_starts_again(jobs: Jobs) -> None:
    told: list[str | None] = []
    _, release = jobs.waiting()
    job = jobs.start("dies once")
    job.listen(lambda progress: told.append(progress.message))
    release.touch()
    job.future.result(PATIENCE_SECONDS)

    assert any(message and "SIGKILL" in message and message.endswith("Starting it again.") for message in told)


def test_recordings_that_are_guilty_do_not_end_the_job(jobs: Jobs) -> None:
    job = jobs.start("poison")

    assert job.future.result(PATIENCE_SECONDS).state == "completed"
    # With SIGKILL, which may have come from outside: once more than after a fault.
    assert crashes(jobs, job.job_id) == 3


@pytest.mark.parametrize(("behaviour", "workers"), [("killed", 2), ("exit", 2), ("lies", 2)])
def test_a_worker_that_never_begins_a_recording_is_tried_twice(jobs: Jobs, behaviour: str, workers: int) -> None:
    job = jobs.start(behaviour)

    with pytest.raises(WorkerCrashed):
        job.future.result(PATIENCE_SECONDS)

    assert crashes(jobs, job.job_id) == workers - 1


def test_the_end_of_the_job_is_not_the_end_of_another(jobs: Jobs) -> None:
    first, second = jobs.start("killed"), jobs.start("dies once")

    assert isinstance(first.future.exception(PATIENCE_SECONDS), WorkerCrashed)
    assert second.future.result(PATIENCE_SECONDS).state == "completed"


# ---------------------------------------------------------------- patience


class Story:
    """Crash after crash of one job, told without a process."""

    def __init__(self, jobs: Jobs) -> None:
        job, _ = jobs.waiting()
        self.folder = job.folder
        self.ledger = Ledger(job.folder.ledger_path)
        self.watch = CrashWatch(job.folder)
        self.number = 0

    def crash(self, *, begun: int = 1, scored: int = 0, ending: Ending = "fault") -> bool:
        """A worker begins and scores some recordings, then dies; whether another is started."""
        for _ in range(begun):
            self.number += 1
            self.ledger.append(Started(recording=Stamp(f"{self.number}.wav", 1, 1)))
        for number in range(scored):
            self.ledger.append(Scored(recording=Stamp(f"scored {self.number} {number}.wav", 1, 1)))
        self.watch.enter(ending)
        return self.watch.has_patience


def test_a_model_that_has_never_scored_gets_four_workers(jobs: Jobs) -> None:
    story = Story(jobs)

    assert [story.crash() for _ in range(4)] == [True, True, True, False]


def test_how_each_worker_ended_stands_in_the_ledger(jobs: Jobs) -> None:
    story = Story(jobs)

    story.crash(ending="fault")
    story.crash(ending="kill")

    assert [event.by for event in story.ledger.read() if isinstance(event, Crashed)] == ["fault", "kill"]


@pytest.mark.parametrize(("number", "ending"), [("SIGTERM", "kill"), ("SIGKILL", "kill"), ("SIGSEGV", "fault")])
def test_a_worker_tells_how_it_was_ended(number: str, ending: str) -> None:
    worker = Worker(PYTHON, FAKE_WORKER)
    try:
        worker.call("worker/models", ModelsParams(), ModelList).result(PATIENCE_SECONDS)
        os.kill(worker.pid, getattr(signal, number))
        worker._process.wait(PATIENCE_SECONDS)
        assert worker.ending() == ending
    finally:
        worker.end()


def test_a_model_that_has_scored_gets_twenty_one_and_progress_begins_the_count_anew(jobs: Jobs) -> None:
    story = Story(jobs)

    assert all(story.crash(scored=1) for _ in range(30))
    assert [story.crash() for _ in range(20)] == [True] * 19 + [False]


def test_a_part_closed_inside_a_long_recording_is_progress(jobs: Jobs) -> None:
    story = Story(jobs)

    for number in range(5):
        (story.folder.scores_path / f"part-{number:06d}.parquet").touch()
        assert story.crash()


# ---------------------------------------------------------------- pauses, numbers, several at once


def test_a_job_whose_recordings_are_gone_pauses(jobs: Jobs) -> None:
    job = jobs.start("unplugged")

    with pytest.raises(InputGone) as caught:
        job.future.result(PATIENCE_SECONDS)

    assert (caught.value.state, jobs.manager.get(job.job_id).state) == ("paused", "paused")


def test_a_job_that_was_stopped_tells_how_long_it_ran(jobs: Jobs) -> None:
    job, _ = jobs.waiting()
    jobs.manager.cancel(job.job_id)
    job.future.exception(PATIENCE_SECONDS)

    record = job.folder.read_record()

    assert 0 < record.elapsed_seconds < PATIENCE_SECONDS


def test_as_many_jobs_run_at_once_as_the_settings_allow_each_with_its_worker(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(max_running=2)
    first, release = jobs.waiting()
    second = jobs.start("waits", release=str(release))
    third = jobs.start()
    jobs.changes.wait_for(second.job_id, "running")

    assert (jobs.manager.running, jobs.manager.queued) == (2, 1)
    assert jobs.manager.models(PYTHON, CancelToken()).result(PATIENCE_SECONDS).models
    release.touch()
    assert [job.future.result(PATIENCE_SECONDS).state for job in (first, second, third)] == ["completed"] * 3


def test_a_start_that_fails_leaves_no_folder(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskFull("The disk is full.")

    monkeypatch.setattr(JobIndex, "add", full)

    with pytest.raises(DiskFull):
        jobs.start()

    assert list((jobs.folder / "output").iterdir()) == []
    assert jobs.manager.list(None, 10) == ()
