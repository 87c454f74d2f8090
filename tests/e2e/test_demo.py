"""The demo as a user runs it: it shows the calls where they were put, and dies without leaving anything behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tools.paths import ROOT

pytestmark = [pytest.mark.archive, pytest.mark.slow]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One state for the whole module: a run that was killed must not spoil the next."""
    folder = tmp_path_factory.mktemp("demo")
    return ["--output", str(folder / "output"), "--state", str(folder / "state")]


def start_demo(archive: Path, folders: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tools.demo", "--archive", str(archive), *folders]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def read_until(demo: subprocess.Popen[str], sentence: str) -> str:
    """The line that says `sentence`; fails when the demo ends without it."""
    assert demo.stdout is not None
    told = []
    for line in demo.stdout:
        told.append(line)
        if sentence in line:
            return line
    raise AssertionError("".join(told))


@pytest.mark.parametrize(
    "moment", ["extracting the archive", "correcting the paths", "starting the ML environment", "loading the model"]
)
def test_a_killed_demo_leaves_no_process_behind(archive, folders, moment):
    demo = start_demo(archive, folders)
    read_until(demo, moment)
    family = [psutil.Process(demo.pid), *psutil.Process(demo.pid).children(recursive=True)]

    demo.kill()
    demo.wait()
    _, alive = psutil.wait_procs(family, timeout=10)

    assert len(family) >= 2
    assert not alive


def test_the_next_demo_works_and_shows_the_calls_where_they_were_put(archive, folders):
    demo = start_demo(archive, folders)
    told, _ = demo.communicate()

    assert demo.returncode == 0, told
    assert "The 3 highest scores are the 3 calls that were put into the chorus." in told
    output = Path(folders[1])
    assert len(list((output / "spectrograms").glob("*.png"))) == 12
    assert (output / "detections.png").stat().st_size > 10_000
    assert [path.name for path in output.glob("demo_*/predictions.csv")]
