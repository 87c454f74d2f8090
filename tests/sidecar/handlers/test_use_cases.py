"""Handlers of config, scores, detections, inference and jobs: that they put the right rooms together."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from rpc.call import Call
from rpc.cancel import CancelToken
from rpc.errors import EnvironmentNotReady, InvalidParams, JobNotFound, RequestCancelled, ScoresNotFound
from schemas.config import Config, InputConfig, OutputConfig, ValidateParams, ZooModel
from schemas.detections import Render, SampleParams
from schemas.env import EnvironmentChoice
from schemas.jobs import CancelParams, GetParams, JobReport, ResumeParams, RunParams
from schemas.models import ListParams
from schemas.scores import CloseParams, LoadParams
from sidecar.app import Services, build
from sidecar.handlers import config, detections, inference, jobs, models, scores
from sidecar.jobs.manager import JobManager
from sidecar.settings import Settings

FAKE_WORKER = Path(__file__).resolve().parents[2] / "fakes" / "worker.py"
HERE = EnvironmentChoice(python=sys.executable)
PATIENCE_SECONDS = 30.0


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = build(Settings(tmp_path / "state", tmp_path / "cache"))
    # The real worker needs the ML environment; tests/e2e has it.
    manager = JobManager(tmp_path / "state", services.notify, worker_script=FAKE_WORKER)
    services._made["jobs"] = manager
    yield services
    manager.close()
    services.closed()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.wav"
    path.parent.mkdir()
    soundfile.write(path, np.zeros(8000, np.float32), 8000)
    return path


def fake_config(tmp_path: Path, behaviour: str = "ok", **options: object) -> Config:
    return Config(
        model=ZooModel(name=behaviour, options=options),
        input=InputConfig(folders=(str(tmp_path / "in"),)),
        output=OutputConfig(folder=str(tmp_path / "out")),
    )


def test_one_clip_that_cannot_be_rendered_does_not_spoil_the_others(
    services: Services, tmp_path: Path, recording: Path
) -> None:
    table = "file,start_time,end_time,owl\nin/a.wav,0,0.5,1\nin/gone.wav,0,1,2\n"
    (tmp_path / "s.csv").write_text(table)
    loaded = scores.load(LoadParams(path=str(tmp_path / "s.csv")), Call(), services)
    params = SampleParams(scores_id=loaded.scores_id, class_="owl", render=Render(include=("audio",)))

    missing, good = detections.sample(params, Call(), services).detections

    assert missing.clip is None
    assert missing.error is not None
    assert missing.error.code == 1001
    assert good.error is None
    assert good.clip is not None
    assert good.clip.duration_seconds == 0.5


def test_a_closed_table_cannot_be_asked(services: Services, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("file,start_time,end_time,owl\na.wav,0,5,1\n")
    loaded = scores.load(LoadParams(path=str(tmp_path / "s.csv")), Call(), services)
    scores.close(CloseParams(scores_id=loaded.scores_id), Call(), services)

    with pytest.raises(ScoresNotFound):
        detections.sample(SampleParams(scores_id=loaded.scores_id, class_="owl"), Call(), services)


def test_validation_needs_something_to_validate(services: Services, recording: Path) -> None:
    for params in (ValidateParams(), ValidateParams(config={}, path="x")):
        with pytest.raises(InvalidParams):
            config.validate(params, Call(), services)

    assert config.validate(ValidateParams(files=(str(recording),)), Call(), services).valid
    assert not config.validate(ValidateParams(config={}), Call(), services).valid


def test_a_run_that_is_waited_for_answers_with_a_future(services: Services, tmp_path: Path, recording: Path) -> None:
    answer = inference.run(RunParams(config=fake_config(tmp_path), environment=HERE), Call(), services)

    assert isinstance(answer, Future)
    assert answer.result(PATIENCE_SECONDS).state == "completed"


def test_a_run_that_is_not_waited_for_answers_at_once(services: Services, tmp_path: Path, recording: Path) -> None:
    release = tmp_path / "release"
    waits = fake_config(tmp_path, "waits", release=str(release))
    answer = inference.run(RunParams(config=waits, environment=HERE, wait=False), Call(), services)

    assert isinstance(answer, JobReport)
    assert answer.state in ("queued", "preparing", "running")
    assert (answer.files_total, answer.clips) == (1, 0)
    assert jobs.get(GetParams(job_id=answer.job_id), Call(), services).state in ("queued", "preparing", "running")
    jobs.cancel(CancelParams(job_id=answer.job_id), Call(), services)


def test_cancelling_the_request_cancels_the_job_and_tells_where_it_is(
    services: Services, tmp_path: Path, recording: Path
) -> None:
    token = CancelToken()
    waits = fake_config(tmp_path, "waits", release=str(tmp_path / "release"))
    answer = inference.run(RunParams(config=waits, environment=HERE), Call(token=token), services)
    token.cancel()

    assert isinstance(answer, Future)
    error = answer.exception(PATIENCE_SECONDS)
    assert isinstance(error, RequestCancelled)
    assert error.state == "cancelled"
    resumed = jobs.resume(ResumeParams(job_id=error.job_id, environment=HERE, wait=False), Call(), services)
    assert isinstance(resumed, JobReport)
    assert resumed.job_folder == error.job_folder


def test_a_config_comes_from_one_place(services: Services, tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(msgspec.json.encode(fake_config(tmp_path)))
    both = RunParams(config=fake_config(tmp_path), config_path=str(path), environment=HERE)

    for params in (both, RunParams(environment=HERE)):
        with pytest.raises(InvalidParams):
            inference.run(params, Call(), services)

    answer = inference.run(RunParams(config_path=str(path), environment=HERE), Call(), services)
    assert isinstance(answer, Future)
    assert answer.result(PATIENCE_SECONDS).files_done == 1


def test_without_an_environment_nothing_is_begun(services: Services, tmp_path: Path, recording: Path) -> None:
    with pytest.raises(EnvironmentNotReady):
        inference.run(RunParams(config=fake_config(tmp_path)), Call(), services)

    assert not (tmp_path / "out").exists()
    with pytest.raises(JobNotFound):
        jobs.resume(ResumeParams(job_id="none", environment=HERE), Call(), services)


def test_models_are_asked_of_the_worker(services: Services) -> None:
    assert models.list(ListParams(environment=HERE), Call(), services).result(PATIENCE_SECONDS).models[0].name == "fake"
