"""The main job with the network cut off: what a field station has."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from schemas.env import EnvironmentChoice
from schemas.jobs import JobReport, RunParams
from tests.e2e.conftest import toad_config
from tools.demo.client import SidecarClient
from tools.paths import ROOT
from tools.which_sidecar import sidecar_command

pytestmark = pytest.mark.ml
ALONE = ["unshare", "--net", "--map-root-user"]


def can_cut_the_network() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*ALONE, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_cut_the_network(), reason="no network namespace can be had here (unshare --net)")
def test_a_job_runs_in_an_empty_network_namespace(ml_python, chorus, tmp_path):
    folders = ["--state-folder", tmp_path / "state", "--cache-folder", tmp_path / "cache"]
    command = [*ALONE, *sidecar_command(*folders)]
    config = toad_config(chorus, tmp_path / "output")

    with SidecarClient(command, stderr=tmp_path / "sidecar.log", cwd=ROOT) as sidecar:
        params = RunParams(config=config, environment=EnvironmentChoice(python=str(ml_python)))
        report = sidecar.call("inference/run", params, JobReport)

    assert (report.state, report.clips, report.files_failed) == ("completed", 12, 0)
