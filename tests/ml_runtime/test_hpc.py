"""docs/hpc.md: the script that it shows is run as SLURM would, preempted and requeued; then the shards are joined."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from schemas.config import RibbitModel
from survey.config import encode_config, load_config
from survey.job_folder import JobFolder
from survey.ledger import Ledger, Started
from survey.shards import Shard
from tests.ml_runtime.jobs import NOW, make_job
from tests.ml_runtime.jobs import run as run_here
from tests.ml_runtime.test_inference import SCRIPT, TIMEOUT, run, write_config
from tests.sounds import noise, write_sound

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hpc.md"
SHARDS = 2
TOAD = RibbitModel(class_name="toad", signal_band_hz=(2000.0, 2500.0), pulse_rate_hz=(13.0, 22.0), clip_seconds=0.1)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no bash, and no SLURM")


@pytest.fixture
def script(tmp_path) -> Path:
    """The script of the page."""
    body = re.search(r"```bash\n(#!/bin/bash\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert body is not None
    path = tmp_path / "survey.sh"
    path.write_text(body[1], "utf-8")
    return path


@pytest.fixture
def recordings(tmp_path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for index in range(8):
        write_sound(folder / f"r{index}.wav", noise(8000 * 60, seed=index), 8000)
    return folder


def environment(tmp_path: Path, config: Path, task: int) -> dict[str, str]:
    """What a task of an array sees, with a scontrol that writes down what it is asked."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    scontrol = tools / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/scontrol.log"\n')
    scontrol.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "SLURM_ARRAY_TASK_ID": str(task),
        "SLURM_ARRAY_JOB_ID": "4711",
        "SLURM_CPUS_PER_TASK": "1",
        "SHARDS": str(SHARDS),
        "ML_PYTHON": sys.executable,
        "INFERENCE": str(SCRIPT),
        "CONFIG": str(config),
    }


def start(script: Path, variables: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", str(script)], env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="/"
    )


@pytest.mark.slow
def test_the_array_of_the_page_is_preempted_requeued_and_joined(script, recordings, tmp_path):
    # Arrange
    config = write_config(tmp_path / "survey.json", recordings, TOAD, name="spring")
    tasks = [start(script, environment(tmp_path, config, task)) for task in (1, 2)]

    # Act: the first task is preempted while it scores
    for line in tasks[0].stdout or ():
        if "clipsPerSecond" in line:
            break
    tasks[0].send_signal(signal.SIGTERM)
    said = [task.communicate(timeout=TIMEOUT)[0] for task in tasks]
    codes = [task.returncode for task in tasks]
    shard = JobFolder(tmp_path / "output" / "spring" / "shards" / "1-of-2")
    stopped = shard.read_record()
    code_before, before = run("--config", config, "--merge")
    again = start(script, environment(tmp_path, config, 1))
    said_again = again.communicate(timeout=TIMEOUT)[0]
    code, lines = run("--config", config, "--merge")

    # Assert
    assert codes == [75, 0], said
    assert (tmp_path / "scontrol.log").read_text() == "requeue 4711_1\n"
    assert (stopped.state, stopped.code) == ("cancelled", -32800)
    assert len(list(shard.scores_path.glob("*.parquet"))) >= 2, "the open part was closed"
    assert again.returncode == 0, said_again
    assert (code_before, before[-1]["result"]["state"]) == (1, "interrupted")
    assert {row["shard"] for row in before[-1]["result"]["missing"]} == {"1/2"}
    assert (code, lines[-1]["result"]["filesDone"], lines[-1]["result"]["clips"]) == (0, 8, 4800)
    whole = make_job(tmp_path / "whole", recordings, TOAD)
    run_here(whole)
    joined = JobFolder(tmp_path / "output" / "spring")
    assert joined.predictions_path.read_bytes() == whole.predictions_path.read_bytes()
    assert started_by_both(joined) == set()


def started_by_both(joined: JobFolder) -> set[str]:
    """Recordings that more than one shard has opened."""
    opened = [
        {event.recording.file for event in Ledger(shard / "ledger.jsonl").read() if isinstance(event, Started)}
        for shard in joined.shards_path.iterdir()
    ]
    return opened[0] & opened[1]


def test_an_edited_config_is_refused_by_the_shard_that_has_begun(recordings, tmp_path):
    config = load_config(write_config(tmp_path / "survey.json", recordings, TOAD, name="spring")).config
    edited = msgspec.structs.replace(config, model=msgspec.structs.replace(TOAD, clip_seconds=0.2))
    (tmp_path / "edited.json").write_bytes(encode_config(edited))
    shard = JobFolder.shared(config).shard(Shard(1, 2))
    shard.make()
    shard.begin(config, NOW, shard=Shard(1, 2))

    code, lines = run("--config", tmp_path / "edited.json", "--shard", "1/2")

    assert code == 2
    assert "$.model.clipSeconds: 0.1 became 0.2" in lines[-1]["error"]["message"]
    assert shard.read_config() == config


@pytest.mark.parametrize(
    "arguments",
    [("--shard", "0/2"), ("--shard", "1/2", "--merge"), ("--job-folder", "x"), ("--resume", "x", "--shard", "1/2")],
)
def test_what_does_not_go_together_is_wrong_usage(arguments):
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), "--config", "c.json", *arguments],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "usage" in done.stderr
