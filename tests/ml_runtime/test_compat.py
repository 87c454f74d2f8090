"""Mismatched torchvision and torchaudio are repaired, those that fit are left alone; each case in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys
sys.path[:0] = {paths!r}
from ml_runtime.compat import make_importable
from rpc.errors import EnvironmentNotReady
try:
    told = make_importable()
    again = make_importable()
    answer = {{"repaired": told, "again": again}}
except EnvironmentNotReady as error:
    answer = {{"error": error.message}}
answer["torch"] = "torch" in sys.modules
print(json.dumps(answer))
"""


def answer(*paths: Path) -> dict:
    program = PROGRAM.format(paths=[str(path) for path in (*paths, ROOT)])
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout)


def imports_plainly(name: str) -> bool:
    done = subprocess.run([sys.executable, "-I", "-c", f"import {name}"], capture_output=True, timeout=120, check=False)
    return done.returncode == 0


def package(folder: Path, name: str, code: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)


@pytest.mark.slow
def test_exactly_those_are_repaired_that_do_not_import():
    expected = [name for name in ("torchvision", "torchaudio") if not imports_plainly(name)]

    told = answer()

    assert told["repaired"] == expected
    assert told["again"] == expected


def test_packages_that_fit_are_left_alone(tmp_path):
    package(tmp_path, "torchvision", "")
    package(tmp_path, "torchaudio", "")

    assert answer(tmp_path) == {"repaired": [], "again": [], "torch": False}


def test_a_missing_package_is_told_by_name(tmp_path):
    package(tmp_path, "torchvision", "raise ModuleNotFoundError('No module named torchvision')")

    assert "torchvision" in answer(tmp_path)["error"]


def test_what_no_repair_helps_is_told_with_its_reason(tmp_path):
    package(tmp_path, "torchvision", "")
    package(tmp_path, "torchaudio", "raise OSError('libcudart is not there')")

    assert answer(tmp_path)["error"].count("libcudart is not there") == 1


def test_a_package_gets_torchaudios_native_part_out_of_its_way(tmp_path):
    package(tmp_path, "torchvision", "")
    package(tmp_path, "torchaudio", "from torchaudio import _extension\nassert not _extension._IS_ALIGN_AVAILABLE")
    (tmp_path / "torchaudio" / "_extension.py").write_text("raise OSError('Could not load this library')")

    assert answer(tmp_path)["repaired"] == ["torchaudio"]


_TOGETHER = """
import threading
from ml_runtime.models.registry import check_model, list_models
from schemas.config import RibbitModel

model = RibbitModel(class_name="toad", signal_band_hz=(2000, 2500), pulse_rate_hz=(13, 22))
begin = threading.Barrier(2)
failed = []

def attempt(work):
    begin.wait()
    try:
        work()
    except BaseException as error:
        failed.append(repr(error))

threads = [threading.Thread(target=attempt, args=[work]) for work in (list_models, lambda: check_model(model, "auto"))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failed)
"""


def test_two_threads_may_import_the_packages_at_the_same_time() -> None:
    finished = subprocess.run([sys.executable, "-c", _TOGETHER], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (finished.stdout.strip(), finished.returncode) == ("[]", 0), finished.stderr
