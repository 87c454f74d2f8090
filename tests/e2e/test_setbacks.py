"""Bad days end to end: a recording that ends its worker, a drive that is unplugged, a disk that is full.

The worker is the real one with a quick model (quick_worker.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpc.call import Progress
from schemas.env import EnvironmentChoice
from schemas.jobs import GetParams, Job, JobLog, JobReport, LogParams, ResumeParams, RunParams
from tests.e2e.conftest import quick_interpreter, start_sidecar, toad_config
from tests.hostile import fill, small_disk
from tests.sounds import noise, write_sound
from tools.demo.client import Refused, SidecarClient

pytestmark = [pytest.mark.ml, pytest.mark.skipif(os.name == "nt", reason="signals")]

RATE = 8000


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """12 of 4 s."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(12):
        write_sound(folder / f"{number:02}.wav", noise(RATE * 4, seed=number), RATE)
    return folder


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[SidecarClient]:
    with start_sidecar(tmp_path / "sidecar") as client:
        yield client


@pytest.fixture
def slow(ml_python: Path, tmp_path: Path) -> EnvironmentChoice:
    """Scores four clips in 0.2 s."""
    return quick_interpreter(tmp_path, ml_python, 0.2)


def once_scoring(do):
    """A listener that calls `do` when the first clips are scored."""
    done: list[bool] = []

    def listen(progress: Progress) -> None:
        if progress.clips_per_second and not done:
            done.append(True)
            do()

    return listen


def test_recordings_that_end_the_worker_are_passed_over(sidecar, ml_python, recordings, tmp_path):
    # Arrange
    for name in ("03 poison.wav", "07 poison.wav"):
        write_sound(recordings / name, noise(RATE), RATE)
    told: list[str] = []
    params = RunParams(
        config=toad_config(recordings, tmp_path / "output"), environment=quick_interpreter(tmp_path, ml_python)
    )

    # Act
    report = sidecar.call("inference/run", params, JobReport, lambda progress: told.append(progress.message or ""))
    log = sidecar.call("jobs/log", LogParams(job_id=report.job_id, tail=1000), JobLog).lines

    # Assert
    assert (report.state, report.files_total, report.files_done, report.files_skipped) == ("completed", 14, 12, 0)
    assert [(Path(failure.path).name, failure.code) for failure in report.failures] == [
        ("03 poison.wav", 1008),
        ("07 poison.wav", 1008),
    ]
    assert report.clips == 48
    assert any("SIGSEGV" in message and "Starting it again" in message for message in told)
    assert 3 <= sum("starting another worker" in line for line in log) <= 4


def test_a_drive_that_is_unplugged_pauses_the_job_until_it_is_back(sidecar, slow, recordings, tmp_path):
    # Arrange
    away = tmp_path / "away"
    params = RunParams(config=toad_config(recordings, tmp_path / "output"), environment=slow)

    # Act
    with pytest.raises(Refused) as refused:
        sidecar.call("inference/run", params, JobReport, once_scoring(lambda: recordings.rename(away)))
    data = refused.value.error.data
    resume = ResumeParams(job_id=data.job_id, environment=slow)
    with pytest.raises(Refused) as too_early:
        sidecar.call("jobs/resume", resume, JobReport)
    paused = sidecar.call("jobs/get", GetParams(job_id=data.job_id), Job)
    away.rename(recordings)
    report = sidecar.call("jobs/resume", resume, JobReport)

    # Assert
    assert (refused.value.error.code, data.state, data.path) == (1018, "paused", str(recordings))
    assert (too_early.value.error.code, paused.state) == (1001, "paused")
    assert "unplugged" in (paused.message or "")
    assert (report.state, report.files_failed, report.files_done + report.files_skipped) == ("completed", 0, 12)
    assert 0 < report.clips < 48


def test_a_full_disk_pauses_the_job_until_there_is_room(sidecar, slow, recordings, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "2m"):
        # Arrange
        ballast: list[Path] = []
        params = RunParams(config=toad_config(recordings, disk), environment=slow)

        # Act
        with pytest.raises(Refused) as refused:
            sidecar.call("inference/run", params, JobReport, once_scoring(lambda: ballast.append(fill(disk))))
        data = refused.value.error.data
        ballast[0].unlink()
        report = sidecar.call("jobs/resume", ResumeParams(job_folder=data.job_folder, environment=slow), JobReport)

        # Assert
        assert (refused.value.error.code, data.state) == (1011, "paused")
        assert (report.state, report.files_done + report.files_skipped) == ("completed", 12)
