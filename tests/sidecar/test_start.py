"""A sidecar that has just started is small: what is slow or large is imported when a request needs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rpc.wire import ROOT, Wire, command
from tests.sounds import noise, write_sound
from tools.which_sidecar import frozen_executable

LARGE = {
    "numpy",
    "scipy",
    "duckdb",
    "soundfile",
    "soxr",
    "isal",
    "pybase64",
    "platformdirs",
    "psutil",
    "ssl",
    "asyncio",
}
LIBRARIES = {"duckdb": "_duckdb", "soundfile": "libsndfile", "scipy": "/scipy/", "numpy": "/numpy/_core/"}

STARTED = """
import sys
from pathlib import Path
from rpc.cancel import CancelToken
from sidecar import app
from sidecar.settings import Settings
services = app.build(Settings(Path("state"), Path("cache")))
routes = app.registry(services)
method, find = routes["health"]
find()(None, None)
print(*sys.modules)
"""


def test_a_start_and_health_import_nothing_large():
    output = subprocess.run(
        [sys.executable, "-c", STARTED], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout

    imported = {name.split(".")[0] for name in output.split()}
    assert "msgspec" in imported
    assert imported & LARGE == set()


def mapped(process: int) -> set[str]:
    """The libraries of LIBRARIES that a process has loaded, source or frozen."""
    maps = Path(f"/proc/{process}/maps").read_text()
    return {name for name, part in LIBRARIES.items() if part in maps}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_libraries_are_loaded_by_the_request_that_needs_them(tmp_path):
    table, recording = tmp_path / "t.csv", write_sound(tmp_path / "a.wav", noise(8000), 8000, "PCM_16")
    table.write_text("file,start_time,end_time,owl\na.wav,0,5,0.5\n")
    clip = {"path": str(recording), "startSeconds": 0, "endSeconds": 0.5}
    folders = ("--state-folder", str(tmp_path / "state"), "--cache-folder", str(tmp_path / "cache"))

    with Wire(argv=command(*folders)) as wire:
        wire.ask(0, "initialize", {"processId": None, "capabilities": {}})
        wire.ask(1, "health")
        wire.reply(1)
        at_start = mapped(wire.process.pid)
        wire.ask(2, "scores/load", {"path": str(table)})
        assert "result" in wire.reply(2)
        after_scores = mapped(wire.process.pid)
        wire.ask(3, "audio/clips", {"clips": [clip]})
        assert "spectrogram" in wire.reply(3)["result"]["clips"][0]
        after_sound = mapped(wire.process.pid)

    assert at_start == set()
    assert "duckdb" in after_scores
    assert after_sound == set(LIBRARIES)


def test_health_says_whether_it_is_frozen_and_how_large_it_is():
    with Wire() as wire:
        wire.ask(1, "health")
        health = wire.reply(1)["result"]

    assert health["frozen"] == (frozen_executable() is not None)
    assert 5e6 < health["memoryBytes"] < 60e6


def test_the_version_is_the_one_that_health_tells():
    said = subprocess.run(command("--version"), capture_output=True, text=True, check=True, cwd=ROOT).stdout
    with Wire() as wire:
        wire.ask(1, "health")
        version = wire.reply(1)["result"]["version"]

    assert re.fullmatch(rf"sidecar {re.escape(version)}\n", said)
