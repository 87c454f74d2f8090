"""The packed ML environment itself: set up elsewhere, run with everything hidden that it could lean on."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from rpc.cancel import CancelToken
from rpc.errors import RequestCancelled
from schemas.config import Config, InputConfig, OutputConfig, RibbitModel
from sidecar.environment.order import How
from sidecar.environment.setup import set_up
from sidecar.environment.verify import check_folder
from tools.demo.chorus import write_chorus
from tools.notices.distributions import distributions_in
from tools.notices.prefix import components_of_prefix, site_packages_of
from tools.paths import ARCHIVE, BUILD, ML, ROOT, VENV, python_of
from tools.prove_runtime import foreign_libraries
from tools.runtime_manifest import manifest_of
from tools.runtime_parts import CACHES, HEADERS, TESTS

pytestmark = [
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not ARCHIVE.exists(), reason="no packed environment: run `python3 dev.py build-runtime`"),
]

ALONE = ["unshare", "--mount", "--map-root-user"]
HIDE = """
set -e
for folder in "$@"; do
  [ "$folder" = -- ] && break
  [ -d "$folder" ] && mount -t tmpfs none "$folder"
done
for library in /usr/lib/*/libpython3* /usr/lib64/libpython3* /usr/local/lib/libpython3*; do
  [ -e "$library" ] && mount --bind /dev/null "$library"
done
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


AND_TELL_MAPS = """
import os, runpy, sys
from pathlib import Path
_, maps, *sys.argv = sys.argv
end = os._exit

def tell_and_end(code):
    Path(maps).write_text(Path("/proc/self/maps").read_text())
    end(code)

os._exit = tell_and_end
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""A program that runs another one, which ends by os._exit, and writes down what that had mapped."""


def can_hide() -> bool:
    mount = [*ALONE, "mount", "-t", "tmpfs", "none", "/mnt"]
    return shutil.which("unshare") is not None and subprocess.run(mount, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place: Path = tmp_path_factory.mktemp("real") / "Käuzchen's eigene Umgebung"
    set_up(place, ARCHIVE, How(token=CancelToken()))
    return place


def hidden() -> list[str]:
    """Where the environment was built and from what."""
    ask = [python_of(ML) if python_of(ML).exists() else sys.executable, "-c", "import sys; print(sys.base_prefix)"]
    base = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    return [str(path) for path in (BUILD, ML, VENV, Path(base)) if str(path) != "/usr"]


def alone(*command: str | Path) -> subprocess.CompletedProcess[str]:
    words = [*ALONE, "sh", "-c", HIDE, "hide", *hidden(), "--", *map(str, command)]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT)


def test_it_is_set_up_and_nothing_is_left_beside_it(folder):
    assert check_folder(folder).status == "ready"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.skipif(not can_hide(), reason="no mount namespace can be had here (unshare --mount)")
def test_its_interpreter_loads_nothing_from_outside(folder):
    finished = alone(folder / "bin" / "python", "-I", ROOT / "ml_runtime" / "probe.py", "--import")

    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout)
    assert answer["problem"] is None
    assert answer["prefix"] == str(folder)
    assert len(answer["libraries"]) > 100
    libpython = [Path(path) for path in answer["libraries"] if "libpython" in path]
    assert libpython
    assert all(path.is_relative_to(folder) for path in libpython)
    assert foreign_libraries(tuple(answer["libraries"]), folder) == []


@pytest.mark.skipif(not can_hide(), reason="no mount namespace can be had here (unshare --mount)")
def test_inference_runs_with_everything_else_hidden(folder, tmp_path):
    # Arrange
    (tmp_path / "sound").mkdir()
    write_chorus(tmp_path / "sound" / "chorus.wav")
    model = RibbitModel(class_name="toad", signal_band_hz=(2000, 2500), pulse_rate_hz=(13, 22), clip_seconds=5.0)
    config = Config(
        model=model,
        input=InputConfig(folders=(str(tmp_path / "sound"),)),
        output=OutputConfig(folder=str(tmp_path / "out")),
    )
    (tmp_path / "config.json").write_bytes(msgspec.json.encode(config))

    # Act
    inference = [ROOT / "ml_runtime" / "inference.py", "--config", tmp_path / "config.json"]
    finished = alone(folder / "bin" / "python", "-I", "-c", AND_TELL_MAPS, tmp_path / "maps", *inference)

    # Assert
    assert finished.returncode == 0, finished.stderr
    result = json.loads(finished.stdout.splitlines()[-1])["result"]
    assert (result["state"], result["clips"]) == ("completed", 12)
    libraries = mapped_libraries((tmp_path / "maps").read_text())
    assert [path for path in libraries if "libpython" in path]
    assert [path for path in libraries if "libtorch_cpu" in path]
    assert foreign_libraries(libraries, folder) == []


def mapped_libraries(maps: str) -> tuple[str, ...]:
    """Every file that code was run from, out of /proc/self/maps."""
    return tuple(sorted(set(re.findall(r"^\S+ ..x. .*? (/.*)$", maps, re.MULTILINE))))


def test_it_says_whose_work_is_in_it_and_under_which_licences(folder):
    # Arrange
    notices = (folder / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    manifest = json.loads(manifest_of(ARCHIVE.resolve()).read_text(encoding="utf-8"))
    packages = distributions_in(site_packages_of(folder))

    # Act
    _, unknown = components_of_prefix(folder, manifest["packages"]["Python"])

    # Assert
    assert len(packages) > 50
    assert unknown == []
    for package in packages:
        assert f"\n{package.name} {package.version}: " in notices
        assert manifest["packages"][package.name] == package.version
        assert manifest["licences"][package.name]
    for name in (f"Python {manifest['packages']['Python']}", "libsndfile: LGPL-2.1-or-later", "OpenSSL: Apache-2.0"):
        assert f"\n{name}" in notices
    assert "ships no text" not in notices
    assert not [path for path in folder.rglob("*ffmpeg*") if path.suffix in ("", ".so", ".exe")]


def test_what_is_left_out_is_listed_with_the_bytes_saved():
    manifest = json.loads(manifest_of(ARCHIVE.resolve()).read_text(encoding="utf-8"))

    left_out = {row["what"]: row["bytes"] for row in manifest["leftOut"]}

    assert {TESTS, HEADERS, CACHES} <= set(left_out)
    assert sum(left_out.values()) > 100_000_000


def test_cancelling_in_the_middle_leaves_nothing(tmp_path):
    token = CancelToken()

    def cancel_under_way(doing: str, done: int, total: int) -> None:
        if doing == "extracting the archive" and done > total / 8:
            token.cancel()

    with pytest.raises(RequestCancelled):
        set_up(tmp_path / "environment", ARCHIVE, How(token=token, on_progress=cancel_under_way))

    deadline = time.monotonic() + 60
    while list(tmp_path.iterdir()):  # a busy disk deletes for a while after the answer
        assert time.monotonic() < deadline
        time.sleep(0.05)
