"""The worker as the sidecar has it: a process of its own, spoken to over pipes, warm between jobs."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import psutil
import pytest

from rpc import child
from rpc.cancel import CancelToken
from rpc.connection import Connection
from rpc.errors import JobNotFound, ModelNotFound, RequestCancelled
from schemas.config import CheckpointModel, ZooModel
from schemas.models import ModelList
from schemas.worker import DescribeParams, JobOutcome, ModelsParams, RunJobParams, WorkerDescription
from tests.ml_runtime.jobs import make_job, predictions
from tests.sounds import noise, write_sound

SCRIPT = Path(__file__).resolve().parents[2] / "ml_runtime" / "__main__.py"
TIMEOUT = 120


def start() -> Connection:
    # As sidecar.jobs does: isolated from the user's own packages and the working folder.
    process = child.spawn([sys.executable, "-I", SCRIPT], own_session=True, cwd=Path("/"))
    return Connection(process, name="worker")


@pytest.fixture(scope="module")
def worker():
    connection = start()
    yield connection
    connection.close()


def run(worker, folder, **options) -> JobOutcome:
    return worker.call("worker/run", RunJobParams(job_folder=str(folder.path)), JobOutcome, **options).result(TIMEOUT)


def test_it_describes_itself(worker):
    description = worker.call("worker/describe", DescribeParams(), WorkerDescription).result(TIMEOUT)

    assert description.python_path == sys.executable
    assert description.packages["opensoundscape"]
    assert description.packages["bioacoustics-model-zoo"]
    assert "cpu" in description.devices
    assert description.libpython is None or Path(description.libpython).exists()


def test_it_lists_models(worker):
    models = worker.call("worker/models", ModelsParams(), ModelList).result(TIMEOUT).models

    assert {model.source for model in models} == {"ribbit", "cwt", "checkpoint", "onnx", "python", "zoo"}


def test_a_second_job_with_the_same_model_starts_scoring_at_once(worker, checkpoint, recordings, tmp_path):
    # Arrange
    config = CheckpointModel(path=str(checkpoint))
    told: list = []
    run(worker, make_job(tmp_path / "first", recordings, config), on_progress=told.append)
    again: list = []
    began = time.monotonic()
    at: list[float] = []

    def note(progress):
        again.append(progress)
        if (progress.message or "").startswith("scoring"):
            at.append(time.monotonic() - began)

    # Act
    outcome = run(worker, make_job(tmp_path / "second", recordings, config), on_progress=note)

    # Assert
    assert outcome.state == "completed"
    assert "loading the model" in [progress.message for progress in told]
    assert "loading the model" not in [progress.message for progress in again]
    assert at[0] < 5, "0.5 s on an idle machine"
    assert [progress.kind for progress in again][:1] == ["begin"]


def test_errors_arrive_as_what_they_are(worker, recordings, tmp_path):
    with pytest.raises(ModelNotFound, match="Pearch"):
        run(worker, make_job(tmp_path, recordings, ZooModel(name="Pearch")))
    with pytest.raises(JobNotFound):
        worker.call("worker/run", RunJobParams(job_folder=str(tmp_path)), JobOutcome).result(TIMEOUT)


def many(folder: Path, count: int) -> Path:
    folder.mkdir()
    write_sound(folder / "0.wav", noise(16000 * 60, seed=1), 16000)
    for number in range(1, count):
        shutil.copy(folder / "0.wav", folder / f"{number}.wav")
    return folder


@pytest.mark.slow
def test_a_cancelled_job_goes_on_where_it_was(worker, checkpoint, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", many(tmp_path / "many", 20), CheckpointModel(path=str(checkpoint)))
    token, cancelled_at = CancelToken(), []

    def cancel_when_scoring(progress):
        if progress.clips_per_second and not cancelled_at:
            cancelled_at.append(time.monotonic())
            token.cancel()

    # Act
    with pytest.raises(RequestCancelled):
        run(worker, folder, token=token, on_progress=cancel_when_scoring)
    took = time.monotonic() - cancelled_at[0]
    outcome = run(worker, folder)

    # Assert
    assert took < 10, "1 s on an idle machine"
    assert outcome.clips < 600
    assert len(predictions(folder)) == 600


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX")
def test_it_dies_with_its_client_in_the_midst_of_a_job(checkpoint, tmp_path):
    # Arrange
    folder = make_job(tmp_path / "output", many(tmp_path / "many", 40), CheckpointModel(path=str(checkpoint)))
    connection = start()
    scoring: list = []
    connection.call(
        "worker/run",
        RunJobParams(job_folder=str(folder.path)),
        JobOutcome,
        on_progress=lambda progress: scoring.append(progress) if progress.clips_per_second else None,
    )
    worker = psutil.Process(connection._process.pid)
    while not scoring:
        assert worker.is_running()
        time.sleep(0.05)

    # Act
    connection.close(grace=0.0)

    # Assert
    gone, alive = psutil.wait_procs([worker, *_children(worker)], timeout=10)
    assert not alive
    assert gone


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
