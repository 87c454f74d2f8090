"""A real sidecar over its stdio, a real ML environment, recordings made for the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.config import Config, InputConfig, OutputConfig, RibbitModel
from schemas.env import EnvironmentChoice
from tools.demo.chorus import write_chorus
from tools.demo.client import SidecarClient
from tools.paths import ARCHIVE, ML, ROOT, python_of
from tools.which_sidecar import sidecar_command

Start = Callable[[], SidecarClient]

TOAD = RibbitModel(
    class_name="toad", signal_band_hz=(2000, 2500), pulse_rate_hz=(13, 22), noise_bands_hz=((0, 200),), clip_seconds=5.0
)


@pytest.fixture(scope="session")
def ml_python() -> Path:
    python = python_of(ML)
    if not python.exists():
        pytest.skip("the ML environment .ml is not there: run `python3 dev.py setup`")
    return python


@pytest.fixture(scope="session")
def archive() -> Path:
    if not ARCHIVE.exists():
        pytest.skip("the packed ML environment is not there: run `python3 dev.py build-runtime`")
    return ARCHIVE


def quick_interpreter(folder: Path, ml_python: Path, seconds_per_batch: float = 0.0) -> EnvironmentChoice:
    """What the sidecar takes for the Python of an ML environment: it runs quick_worker.py, whatever it is asked to."""
    script, worker = folder / f"python-{seconds_per_batch:g}", Path(__file__).with_name("quick_worker.py")
    script.write_text(f'#!/bin/sh\nexec "{ml_python}" -I "{worker}" {seconds_per_batch}\n')
    script.chmod(0o755)
    return EnvironmentChoice(python=str(script))


def start_sidecar(folder: Path) -> SidecarClient:
    """A sidecar of its own, with its state, cache and log below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    command = sidecar_command("--state-folder", folder / "state", "--cache-folder", folder / "cache")
    return SidecarClient(command, stderr=folder / "sidecar.log", cwd=ROOT)


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[SidecarClient]:
    with start_sidecar(tmp_path / "sidecar") as client:
        yield client


@pytest.fixture(scope="module")
def warm_sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidecarClient]:
    """One sidecar for a whole module, so that its worker loads the models' libraries only once."""
    with start_sidecar(tmp_path_factory.mktemp("warm")) as client:
        yield client


@pytest.fixture
def chorus(tmp_path: Path) -> Path:
    """A folder with one recording of 60 s, whose calls are tools.demo.chorus.CALLS."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    write_chorus(folder / "chorus.wav")
    return folder


def toad_config(recordings: Path, output: Path, name: str = "toads") -> Config:
    return Config(
        name=name, model=TOAD, input=InputConfig(folders=(str(recordings),)), output=OutputConfig(folder=str(output))
    )
