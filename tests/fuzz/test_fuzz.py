"""The fuzzer's cases run always; the fuzzer itself for 60 s among the slow tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.target import run_one
from tests.rpc.wire import ROOT

CASES = sorted((Path(__file__).parent / "cases").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
@pytest.mark.parametrize("choice", [0, 1, 2, 9, 100])
def test_case(case, choice):
    stream = case.read_bytes()

    run_one(stream)
    run_one(bytes([choice]) + stream)


@pytest.mark.soak
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed here")
def test_a_minute_of_fuzzing(tmp_path):
    """Coverage-guided. A finding fails this test and is shown: keep it in tests/fuzz/cases."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()

    finished = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.target", "-max_total_time=60", f"-artifact_prefix={tmp_path}/"),
            *(corpus, Path(__file__).parent / "cases"),
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=900,
    )

    findings = {path.name: path.read_bytes() for path in tmp_path.glob("*-*") if path.is_file()}
    assert finished.returncode == 0, (findings, finished.stderr[-3000:])
