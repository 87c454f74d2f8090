"""inference.py as people on a cluster use it: a command line, JSON lines, an exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from schemas.config import CheckpointModel, Config, InputConfig, OutputConfig, PythonModel, RibbitModel, ZooModel
from survey.job_folder import JobFolder
from survey.ledger import Crashed, Ledger, Stamp, Started
from tests.ml_runtime.jobs import failures, predictions
from tests.ml_runtime.test_worker import many
from tests.sounds import noise, write_sound

SCRIPT = Path(__file__).resolve().parents[2] / "ml_runtime" / "inference.py"
TIMEOUT = 180


@pytest.fixture
def survey(tmp_path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    write_sound(folder / "a.wav", noise(16000 * 5, seed=1), 16000)
    (folder / "broken.wav").write_bytes(b"no sound")
    return folder


def write_config(path: Path, recordings: Path, model, **fields) -> Path:
    config = Config(
        model=model,
        input=InputConfig(folders=(str(recordings),)),
        output=OutputConfig(folder=str(path.parent / "output")),
        **fields,
    )
    path.write_bytes(msgspec.json.encode(config))
    return path


def command(*arguments) -> list[str]:
    return [sys.executable, "-I", str(SCRIPT), *map(str, arguments)]


def run(*arguments, prefix: tuple[str, ...] = ()) -> tuple[int, list[dict]]:
    """The exit code, and the lines of stdout."""
    done = subprocess.run(
        [*prefix, *command(*arguments)], capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd="/"
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_config_becomes_a_job_folder_that_can_be_resumed(survey, checkpoint, tmp_path):
    # Arrange
    config = write_config(tmp_path / "config.json", survey, CheckpointModel(path=str(checkpoint)), name="spring")

    # Act
    code, lines = run("--config", config)
    result = lines[-1]["result"]
    folder = JobFolder.open(result["jobFolder"])
    resumed_code, resumed = run("--resume", folder.path, "--config", config, "--quiet")

    # Assert
    assert (code, resumed_code) == (0, 0)
    assert (result["state"], result["filesDone"], result["filesFailed"], result["clips"]) == ("completed", 1, 1, 3)
    assert (resumed[-1]["result"]["filesSkipped"], resumed[-1]["result"]["clips"]) == (1, 0)
    assert lines[0]["progress"]["kind"] == "begin"
    assert lines[0]["progress"]["jobFolder"] == str(folder.path)
    assert "looking for recordings" in [line["progress"].get("message") for line in lines[:-1]]
    assert folder.path.name.startswith("spring_")
    assert (folder.read_record().state, folder.read_record().job_id) == ("completed", result["jobId"])
    assert len(predictions(folder)) == 3
    assert set(failures(folder)) == {"broken.wav"}
    assert "1 done, 1 failed" in folder.log_path.read_text("utf-8")


@pytest.mark.slow
def test_everything_works_with_the_network_cut_off(survey, checkpoint, tmp_path):
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no network name space can be made here: `unshare -n` needs root on Linux")
    config = write_config(tmp_path / "config.json", survey, CheckpointModel(path=str(checkpoint)))

    code, lines = run("--config", config, prefix=("unshare", "-n"))

    assert code == 0
    assert lines[-1]["result"]["clips"] == 3


@pytest.mark.slow
def test_a_signal_stops_it_resumably(checkpoint, tmp_path):
    # Arrange
    recordings = many(tmp_path / "many", 8)
    config = write_config(tmp_path / "config.json", recordings, CheckpointModel(path=str(checkpoint)))
    process = subprocess.Popen(command("--config", config), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    lines: list[dict] = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if lines[-1]["progress"].get("clipsPerSecond"):
            break

    # Act
    process.send_signal(signal.SIGTERM)
    lines += [json.loads(line) for line in process.stdout]
    code = process.wait(TIMEOUT)
    error = lines[-1]["error"]
    stopped = JobFolder.open(error["data"]["jobFolder"]).read_record()
    resumed_code, resumed = run("--resume", error["data"]["jobFolder"])

    # Assert
    assert (code, error["code"], error["data"]["state"]) == (75, -32800, "cancelled")
    assert resumed_code == 0
    folder = JobFolder.open(error["data"]["jobFolder"])
    assert len(predictions(folder)) == 240
    assert resumed[-1]["result"]["clips"] < 240
    assert (stopped.files_done, stopped.clips) == (resumed[-1]["result"]["filesSkipped"], 30 * stopped.files_done)


def test_a_folder_in_use_is_left_alone(survey, checkpoint, tmp_path):
    config = write_config(tmp_path / "config.json", survey, CheckpointModel(path=str(checkpoint)))
    folder = JobFolder.create(msgspec.json.decode(config.read_bytes(), type=Config), datetime.now(UTC))

    with folder.lock():
        code, lines = run("--resume", folder.path)

    assert (code, lines[-1]["error"]["data"]["kind"]) == (75, "busy")
    assert folder.read_record().state == "queued"


def test_a_config_with_a_misspelt_field_is_refused_with_its_place(survey, checkpoint, tmp_path):
    config = tmp_path / "config.json"
    model = {"source": "checkpoint", "path": str(checkpoint)}
    config.write_text(
        json.dumps({"model": model, "input": {"folders": [str(survey)]}, "output": {"foldre": "x", "folder": "y"}})
    )

    code, lines = run("--config", config)

    assert code == 2
    assert "$.output.foldre" in lines[-1]["error"]["message"]
    assert not (tmp_path / "output").exists()


def test_another_config_is_refused_on_resume(survey, checkpoint, tmp_path):
    first = write_config(tmp_path / "first.json", survey, CheckpointModel(path=str(checkpoint)))
    other = write_config(tmp_path / "other.json", survey, ZooModel(name="BirdNET"))
    folder = JobFolder.create(msgspec.json.decode(first.read_bytes(), type=Config), datetime.now(UTC))

    code, lines = run("--resume", folder.path, "--config", other)

    assert code == 2
    assert "$.model" in lines[-1]["error"]["message"]


def test_a_model_that_cannot_be_loaded_is_refused_before_a_folder_is_made(survey, tmp_path):
    (tmp_path / "none.pt").write_bytes(b"no model")
    config = write_config(tmp_path / "config.json", survey, CheckpointModel(path=str(tmp_path / "none.pt")))
    folders = set(tmp_path.rglob("job.json"))

    code, lines = run("--config", config)

    error = lines[-1]["error"]
    assert (code, error["code"]) == (2, 1004)
    assert "none.pt" in error["message"]
    assert set(tmp_path.rglob("job.json")) == folders


@pytest.mark.parametrize("shard", [(), ("--shard", "1/2")])
def test_what_cannot_be_run_is_refused_before_anything_is_made(survey, tmp_path, shard):
    own = write_config(tmp_path / "own.json", survey, PythonModel(path=__file__, class_name="Own"))
    lost = write_config(tmp_path / "lost.json", survey, CheckpointModel(path=str(tmp_path / "none.pt")))

    untrusted, missing = run("--config", own, *shard), run("--config", lost, *shard)

    assert (untrusted[0], untrusted[1][-1]["error"]["code"]) == (2, 1004)
    assert "--trust" in untrusted[1][-1]["error"]["data"]["hint"]
    assert (missing[0], missing[1][-1]["error"]["code"]) == (2, 1001)
    assert not (tmp_path / "output").exists()


def test_a_missing_recording_is_told_by_the_exit_code_and_an_unreadable_one_is_not(survey, tmp_path):
    toad = RibbitModel(class_name="toad", signal_band_hz=(2000.0, 2500.0), pulse_rate_hz=(13.0, 22.0))
    complete = write_config(tmp_path / "complete.json", survey, toad)
    named = InputConfig(files=tuple(str(survey / name) for name in ("a.wav", "broken.wav", "none.wav")))
    config = msgspec.json.decode(complete.read_bytes(), type=Config)
    (tmp_path / "gap.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(config, input=named)))

    code, lines = run("--config", complete)
    code_with_gap, lines_with_gap = run("--config", tmp_path / "gap.json")

    assert (code, code_with_gap) == (0, 1)
    assert [line["result"]["state"] for line in (lines[-1], lines_with_gap[-1])] == ["completed", "completed"]
    assert [failure["code"] for failure in lines_with_gap[-1]["result"]["failures"]] == [1002, 1001]


def test_a_missing_drive_and_a_killed_process_can_be_resumed(survey, tmp_path):
    # Arrange: a job whose process was killed with both recordings in hand
    toad = RibbitModel(class_name="toad", signal_band_hz=(2000.0, 2500.0), pulse_rate_hz=(13.0, 22.0))
    config = msgspec.json.decode(write_config(tmp_path / "config.json", survey, toad).read_bytes(), type=Config)
    folder = JobFolder.create(config, datetime.now(UTC))
    folder.write_record(msgspec.structs.replace(folder.read_record(), state="running", started_at="2024-05-12"))
    paths = sorted(survey.iterdir())
    stamps = [Stamp(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    Ledger(folder.ledger_path).append(*(Started(recording=stamp) for stamp in stamps))
    folder.recordings_path.write_bytes(b"".join(msgspec.json.encode(str(path)) + b"\n" for path in paths))

    # Act
    survey.rename(tmp_path / "unplugged")
    code_without, lines_without = run("--resume", folder.path)
    paused = folder.read_record()
    (tmp_path / "unplugged").rename(survey)
    code, lines = run("--resume", folder.path)

    # Assert
    suspects = [event.recording for event in Ledger(folder.ledger_path).read() if isinstance(event, Crashed)]
    assert suspects == stamps
    assert (code_without, lines_without[-1]["error"]["code"], paused.state) == (75, 1018, "paused")
    assert (code, lines[-1]["result"]["filesDone"]) == (0, 1)
    assert paused.elapsed_seconds > 0


@pytest.mark.parametrize("arguments", [(), ("--confg", "x"), ("--config",)])
def test_wrong_usage_is_told_on_stderr(arguments):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=TIMEOUT, check=False)

    assert done.returncode == 2
    assert "usage" in done.stderr
    assert done.stdout == ""
