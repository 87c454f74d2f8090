"""The real packed environment: extracted and verified by the sidecar, then used, with nothing from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from rpc.call import Progress
from schemas.env import CheckParams, Environment, EnvironmentChoice, SetupParams
from schemas.jobs import JobReport, RunParams
from tests.e2e.conftest import start_sidecar, toad_config

pytestmark = [pytest.mark.archive, pytest.mark.slow]


@pytest.fixture(scope="module")
def environment_folder(tmp_path_factory):
    """A folder whose name has a blank, an umlaut and a quote: what people's home folders have."""
    return tmp_path_factory.mktemp("packed") / "Käuzchen's environment"


@pytest.fixture(scope="module")
def packed_sidecar(tmp_path_factory):
    with start_sidecar(tmp_path_factory.mktemp("sidecar")) as client:
        yield client


def test_the_archive_is_set_up_with_progress(packed_sidecar, archive, environment_folder):
    told: list[Progress] = []
    params = SetupParams(archive=str(archive), folder=str(environment_folder))

    environment = packed_sidecar.call("env/setup", params, Environment, told.append)

    assert environment.status == "ready"
    assert {"torch", "bioacoustics_model_zoo", "opensoundscape"} <= {
        name.replace("-", "_") for name in environment.packages
    }
    assert Path(environment.python_path or "").is_relative_to(environment_folder)
    done = [progress.done for progress in told if progress.done is not None]
    assert done == sorted(done)
    assert len(done) > 3


def test_it_is_found_ready_again(packed_sidecar, environment_folder):
    environment = packed_sidecar.call("env/check", CheckParams(folder=str(environment_folder), deep=True), Environment)

    assert environment.status == "ready", environment.problem


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_the_worker_runs_on_libraries_of_the_archive_alone(packed_sidecar, environment_folder, chorus, tmp_path):
    maps: set[str] = set()

    def look(progress: Progress) -> None:
        for child in psutil.Process(packed_sidecar.pid).children(recursive=True):
            maps.update(mapped.path for mapped in child.memory_maps())

    params = RunParams(
        config=toad_config(chorus, tmp_path / "output"), environment=EnvironmentChoice(folder=str(environment_folder))
    )
    report = packed_sidecar.call("inference/run", params, JobReport, look)

    assert (report.state, report.clips) == ("completed", 12)
    libpython = {path for path in maps if "libpython" in path}
    assert libpython
    assert all(Path(path).is_relative_to(environment_folder) for path in libpython)
    extension_modules = {path for path in maps if "cpython" in path}
    assert extension_modules
    assert all(Path(path).is_relative_to(environment_folder) for path in extension_modules)
    torch = {path for path in maps if Path(path).name.startswith("libtorch")}
    assert all(Path(path).is_relative_to(environment_folder) for path in torch)
