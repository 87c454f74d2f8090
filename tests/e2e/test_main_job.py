"""The whole way, as a client goes it: scan, config, inference, scores, detections, clips."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import psutil
import pytest

from rpc.call import Progress
from schemas.config import CheckpointModel, SavedConfig, SaveParams, ZooModel
from schemas.detections import Render, Sample, SampleParams
from schemas.env import EnvironmentChoice
from schemas.folders import Scan, ScanParams
from schemas.jobs import JobReport, ResumeParams, RunParams
from schemas.models import ListParams, ModelList
from schemas.scores import LoadParams, ScoreTable
from tests.e2e.conftest import start_sidecar, toad_config
from tools.demo.chorus import CALLS, write_chorus
from tools.demo.client import Refused, SidecarClient

pytestmark = pytest.mark.ml


def run_params(config, ml_python: Path) -> RunParams:
    return RunParams(config=config, environment=EnvironmentChoice(python=str(ml_python)))


def test_from_recordings_to_rendered_detections(warm_sidecar, ml_python, chorus, tmp_path):
    # Arrange
    (chorus / "broken.wav").write_bytes(b"RIFF, but no more than that")
    config_path = str(tmp_path / "config.json")

    # Act
    scan = warm_sidecar.call("folders/scan", ScanParams(folder=str(chorus)), Scan)
    config = toad_config(chorus, tmp_path / "output")
    warm_sidecar.call("config/save", SaveParams(path=config_path, config=config), SavedConfig)
    report = warm_sidecar.call(
        "inference/run",
        RunParams(config_path=config_path, environment=EnvironmentChoice(python=str(ml_python))),
        JobReport,
    )
    table = warm_sidecar.call("scores/load", LoadParams(path=report.job_folder), ScoreTable)
    top = warm_sidecar.call(
        "detections/sample",
        SampleParams(scores_id=table.scores_id, class_="toad", count=3, render=Render(include=("audio",))),
        Sample,
    )

    # Assert
    assert scan.count == 2
    assert (report.state, report.files_total, report.files_done, report.files_failed) == ("completed", 2, 1, 1)
    assert report.clips == 12
    assert report.audio_seconds == 60.0
    assert [(Path(failure.path).name, failure.code) for failure in report.failures] == [("broken.wav", 1002)]
    assert table.row_count == 12
    assert {d.start_seconds for d in top.detections} == {10.0, 25.0, 45.0}
    assert [d.score for d in top.detections] == sorted((d.score for d in top.detections), reverse=True)
    assert all(d.clip is not None and d.clip.duration_seconds == 5.0 for d in top.detections)
    assert all(call.start_seconds // 5 * 5 in {d.start_seconds for d in top.detections} for call in CALLS)


def test_predictions_csv_loads_equal_to_the_job_folder(warm_sidecar, ml_python, chorus, tmp_path):
    # Arrange
    report = warm_sidecar.call(
        "inference/run", run_params(toad_config(chorus, tmp_path / "output"), ml_python), JobReport
    )

    # Act
    from_job = warm_sidecar.call("scores/load", LoadParams(path=report.job_folder), ScoreTable)
    csv = next(output.path for output in report.outputs if output.format == "csv")
    from_csv = warm_sidecar.call("scores/load", LoadParams(path=csv), ScoreTable)

    # Assert
    assert (from_job.format, from_csv.format) == ("job", "opensoundscape")
    assert from_job.row_count == from_csv.row_count == 12
    assert from_job.classes[0].max == pytest.approx(from_csv.classes[0].max, rel=1e-6)


def test_a_second_run_finds_the_worker_warm(warm_sidecar, ml_python, chorus, tmp_path):
    # Arrange
    config = toad_config(chorus, tmp_path / "output")
    warm_sidecar.call("inference/run", run_params(config, ml_python), JobReport)
    told: list[Progress] = []

    # Act
    report = warm_sidecar.call("inference/run", run_params(config, ml_python), JobReport, told.append)

    # Assert
    assert report.state == "completed"
    assert report.clips == 12
    assert told[0].kind == "begin"
    assert told[0].job_id == report.job_id
    assert told[0].job_folder == report.job_folder
    assert told[-1].kind == "end"
    assert not [p for p in told if "starting" in (p.message or "")], "a new worker was started"


def test_a_cold_start_is_told(sidecar, ml_python, chorus, tmp_path):
    told: list[Progress] = []

    sidecar.call(
        "inference/run", run_params(toad_config(chorus, tmp_path / "output"), ml_python), JobReport, told.append
    )

    assert any("loading the model" in (p.message or "").lower() for p in told)
    assert any(p.done == p.total == 12 or p.done == p.total == 1 for p in told)
    assert any(p.clips_per_second and p.realtime_factor for p in told)


def many_recordings(folder: Path, count: int) -> Path:
    """`count` recordings of 60 s, enough work to be interrupted."""
    folder.mkdir()
    write_chorus(folder / "000.wav")
    for number in range(1, count):
        shutil.copy(folder / "000.wav", folder / f"{number:03}.wav")
    return folder


def test_a_cancelled_job_is_resumed_without_losing_or_doubling_a_clip(sidecar, ml_python, tmp_path):
    # Arrange
    recordings = many_recordings(tmp_path / "many", 60)
    config = toad_config(recordings, tmp_path / "output")

    def cancel_when_scoring(progress: Progress) -> None:
        if progress.kind == "report" and progress.clips_per_second:
            sidecar.cancel()

    # Act
    with pytest.raises(Refused) as refused:
        sidecar.call("inference/run", run_params(config, ml_python), JobReport, cancel_when_scoring)
    data = refused.value.error.data
    environment = EnvironmentChoice(python=str(ml_python))
    report = sidecar.call("jobs/resume", ResumeParams(job_id=data.job_id, environment=environment), JobReport)

    # Assert
    assert refused.value.error.code == -32800
    assert data.state == "cancelled"
    assert report.job_folder == data.job_folder
    assert (report.state, report.files_done + report.files_skipped) == ("completed", 60)
    table = sidecar.call("scores/load", LoadParams(path=report.job_folder), ScoreTable)
    assert (table.row_count, table.file_count) == (60 * 12, 60)


def test_a_job_survives_the_death_of_its_sidecar(ml_python, tmp_path):
    # Arrange
    recordings = many_recordings(tmp_path / "many", 60)
    config = toad_config(recordings, tmp_path / "output")
    killed: list[psutil.Process] = []

    def kill_when_scoring(progress: Progress) -> None:
        if not killed and progress.kind == "report" and progress.clips_per_second:
            process = psutil.Process(first.pid)
            killed.extend([*process.children(recursive=True), process])
            process.kill()

    # Act
    with start_sidecar(tmp_path / "one") as first, pytest.raises(EOFError):
        first.call("inference/run", run_params(config, ml_python), JobReport, kill_when_scoring)
    _, alive = psutil.wait_procs(killed, timeout=5)
    job_folder = next((tmp_path / "output").iterdir())
    with start_sidecar(tmp_path / "two") as second:
        environment = EnvironmentChoice(python=str(ml_python))
        params = ResumeParams(job_folder=str(job_folder), environment=environment)
        report = second.call("jobs/resume", params, JobReport)
        table = second.call("scores/load", LoadParams(path=report.job_folder), ScoreTable)

    # Assert
    assert len(killed) >= 2
    assert not alive
    assert (report.state, report.files_done + report.files_skipped) == ("completed", 60)
    assert (table.row_count, table.file_count) == (60 * 12, 60)


def test_resuming_a_finished_job_scores_nothing_again(warm_sidecar, ml_python, chorus, tmp_path):
    config = toad_config(chorus, tmp_path / "output")
    first = warm_sidecar.call("inference/run", run_params(config, ml_python), JobReport)

    environment = EnvironmentChoice(python=str(ml_python))
    params = ResumeParams(job_folder=first.job_folder, environment=environment)
    again = warm_sidecar.call("jobs/resume", params, JobReport)

    assert again.state == "completed"
    assert again.files_skipped == 1


def test_models_are_listed_with_the_reason_where_one_cannot_run(warm_sidecar, ml_python):
    params = ListParams(environment=EnvironmentChoice(python=str(ml_python)))

    models = warm_sidecar.call("models/list", params, ModelList).models

    by_name = {model.name: model for model in models}
    assert by_name["RanaSierraeCNN"].available
    unavailable = [model for model in models if not model.available]
    assert unavailable
    assert all(model.reason for model in unavailable)


# ---------------------------------------------------------------- bad input


def refused_run(sidecar: SidecarClient, config, ml_python: Path):
    with pytest.raises(Refused) as refused:
        sidecar.call("inference/run", run_params(config, ml_python), JobReport)
    return refused.value.error


def test_no_such_folder(warm_sidecar, ml_python, tmp_path):
    error = refused_run(warm_sidecar, toad_config(tmp_path / "nowhere", tmp_path / "output"), ml_python)

    assert error.code == 1001
    assert str(tmp_path / "nowhere") in error.message
    assert not (tmp_path / "output").exists()


def test_no_audio_in_the_folder(warm_sidecar, ml_python, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("no sound here")

    error = refused_run(warm_sidecar, toad_config(tmp_path / "notes", tmp_path / "output"), ml_python)

    assert error.code in (1001, 1014)
    assert str(tmp_path / "notes") in error.message


def test_an_unknown_model(warm_sidecar, ml_python, chorus, tmp_path):
    config = msgspec.structs.replace(toad_config(chorus, tmp_path / "output"), model=ZooModel(name="RanaSierreaCNN"))

    error = refused_run(warm_sidecar, config, ml_python)

    assert error.code == 1003
    assert "RanaSierraeCNN" in error.message + (error.data.hint or "")


def test_a_model_whose_package_is_missing(warm_sidecar, ml_python, chorus, tmp_path):
    params = ListParams(environment=EnvironmentChoice(python=str(ml_python)))
    models = warm_sidecar.call("models/list", params, ModelList).models
    missing = next(model for model in models if model.source == "zoo" and not model.available)
    config = msgspec.structs.replace(toad_config(chorus, tmp_path / "output"), model=ZooModel(name=missing.name))

    error = refused_run(warm_sidecar, config, ml_python)

    assert error.code == 1004
    assert missing.name in error.message


def test_a_checkpoint_that_is_none(warm_sidecar, ml_python, chorus, tmp_path):
    (tmp_path / "model.pt").write_bytes(b"not a model")
    model = CheckpointModel(path=str(tmp_path / "model.pt"))

    error = refused_run(
        warm_sidecar, msgspec.structs.replace(toad_config(chorus, tmp_path / "output"), model=model), ml_python
    )

    assert error.code == 1004
    assert str(tmp_path / "model.pt") in error.message


def test_a_misspelt_field_is_named(warm_sidecar, chorus, tmp_path):
    config = msgspec.to_builtins(toad_config(chorus, tmp_path / "output"))
    config["inference"]["batchSiz"] = 3
    path = tmp_path / "config.json"
    path.write_bytes(msgspec.json.encode(config))

    with pytest.raises(Refused) as refused:
        warm_sidecar.call("inference/run", RunParams(config_path=str(path)), JobReport)

    assert refused.value.error.code == 1014
    assert "$.inference" in refused.value.error.message
    assert "batchSiz" in refused.value.error.message


def test_a_job_folder_that_cannot_be_written(warm_sidecar, ml_python, chorus, tmp_path):
    (tmp_path / "output").write_text("a file where the folder should be")

    error = refused_run(warm_sidecar, toad_config(chorus, tmp_path / "output"), ml_python)

    assert error.code in (1010, -32803)
    assert str(tmp_path / "output") in error.message


def test_no_environment(warm_sidecar, chorus, tmp_path):
    choice = EnvironmentChoice(python=str(tmp_path / "nowhere" / "python"))
    params = RunParams(config=toad_config(chorus, tmp_path / "output"), environment=choice)

    with pytest.raises(Refused) as refused:
        warm_sidecar.call("inference/run", params, JobReport)

    assert refused.value.error.code == 1005
