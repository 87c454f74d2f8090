"""electron/test_build_pipeline.js: it passes on what was built, and fails loudly where any part of it is missing.

What breaks is a fake sidecar of a few lines beside the real sources, for the real one cannot be made to break so.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas.version import VERSION
from tools.freezing.contents import SHIPPED_SOURCES
from tools.node import ensure_node
from tools.paths import ARCHIVE, ROOT
from tools.which_sidecar import frozen_executable

SCRIPT = ROOT / "electron" / "test_build_pipeline.js"
STEPS = 6
EXISTS, ANSWERS, WHOLE = "the executable exists", "it answers over stdio", "the environment archive is whole"
FILES, READY = "all files of the distribution are there", "the environment sets up"
SCORES = "inference finds the call in a recording"
PNG = "iVBORw0KGgo="
BARE = {"startSeconds": 10, "endSeconds": 15, "error": {"code": -32603}}
READY_ENVIRONMENT = {"status": "ready", "packages": {"torch": "2"}, "problem": None}
GOOD: dict[str, Any] = {
    "health": {"frozen": True, "version": VERSION},
    "env/setup": READY_ENVIRONMENT,
    "env/check": READY_ENVIRONMENT,
    "config/save": {},
    "config/validate": {"valid": True, "errors": []},
    "inference/run": {"state": "completed", "clips": 6, "elapsedSeconds": 1, "jobFolder": "", "failures": []},
    "scores/load": {"scoresId": "s"},
    "detections/sample": {
        "detections": [{"startSeconds": 10, "endSeconds": 15, "clip": {"spectrogram": {"base64": PNG}}}]
    },
}
FAKE = """#!{python} -IS
import json, os, sys
answers = json.loads({answers!r})
if "--version" in sys.argv:
    sys.exit(print("sidecar {version}"))
for line in sys.stdin:
    request = json.loads(line)
    answer = answers[request["method"]]
    if request["method"] == "inference/run" and "jobFolder" in answer:
        answer["jobFolder"] = os.path.dirname(request["params"]["configPath"])
    if "dies" in answer:
        sys.exit(answer["dies"])
    reply = {{"error": answer}} if "code" in answer else {{"result": answer}}
    print(json.dumps({{"jsonrpc": "2.0", "id": request["id"], **reply}}), flush=True)
sys.exit({code})
"""


class Built(NamedTuple):
    """What the pipeline has made: the folder of the sidecar, and the archive with what lies beside it."""

    sidecar: Path
    archive: Path

    def program(self) -> Path:
        return self.sidecar / "sidecar"

    def answer(self, *, version: str = VERSION, code: int = 0, **methods: Any) -> None:
        """Write the fake sidecar; `methods` replaces answers, `env_setup` that of env/setup."""
        answers = GOOD | {name.replace("_", "/"): answer for name, answer in methods.items()}
        text = FAKE.format(python=sys.executable, answers=json.dumps(answers), version=version, code=code)
        self.program().write_text(text)
        self.program().chmod(0o755)


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """All that is looked for, and nothing that works but the answers."""
    built = Built(tmp_path / "sidecar", tmp_path / "env.tar.gz")
    for name in SHIPPED_SOURCES:
        shutil.copytree(ROOT / name, built.sidecar / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_duckdb.so", "_soundfile_data", "numpy", "scipy", "msgspec", "soxr", "sidecar"):
        (built.sidecar / "_internal" / name).mkdir(parents=True)
    shutil.copytree(ROOT / "schemas" / "json", built.sidecar / "_internal" / "schemas" / "json")
    for name in ("LICENSE", "THIRD_PARTY_NOTICES.txt"):
        (built.sidecar / name).touch()
    built.archive.write_bytes(b"an archive")
    describe(built.archive)
    built.answer()
    return built


def describe(archive: Path) -> None:
    """What lies beside an archive: its manifest and its sum."""
    content = archive.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    archive.with_name("env.json").write_text(json.dumps({"sizeBytes": len(content), "sha256": digest}))
    archive.with_name("env.tar.gz.sha256").write_text(f"{digest}  {archive.name}\n")


def run(sidecar: Path, archive: Path, scratch: Path) -> tuple[int, str]:
    """The exit code, and what was said."""
    scratch.mkdir(exist_ok=True)
    command = [ensure_node().program, SCRIPT, "--sidecar", sidecar, "--archive", archive, "--scratch", scratch]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert list(scratch.iterdir()) == [], "it left something"
    return finished.returncode, finished.stdout


BREAKING: dict[str, tuple[Callable[[Built], object], str, str]] = {
    "no executable": (lambda b: b.program().unlink(), EXISTS, "build:python-pyinstaller"),
    "not executable": (lambda b: b.program().chmod(0o644), EXISTS, "may not be executed"),
    "empty executable": (lambda b: b.program().write_bytes(b""), EXISTS, "is no program"),
    "another version": (lambda b: b.answer(version="9.9.9"), ANSWERS, "--version says sidecar 9.9.9"),
    "health of another": (lambda b: b.answer(health=GOOD["health"] | {"version": "9"}), ANSWERS, "health says 9"),
    "not frozen": (lambda b: b.answer(health=GOOD["health"] | {"frozen": False}), ANSWERS, "not frozen"),
    "an error": (lambda b: b.answer(health={"code": -32603, "message": "broken"}), ANSWERS, r"broken (-32603)"),
    "a bad end": (lambda b: b.answer(code=3), ANSWERS, "ended with 3"),
    "a crash": (lambda b: b.program().write_text("#!/bin/sh\necho libduckdb.so >&2; exit 9"), ANSWERS, "libduckdb.so"),
    "a stray line": (lambda b: b.program().write_text(STRAY), ANSWERS, "no JSON: hello"),
    "no archive": (lambda b: b.archive.unlink(), WHOLE, "build:conda-pack"),
    "a truncated archive": (lambda b: b.archive.write_bytes(b"an arch"), WHOLE, "has 7 bytes"),
    "a damaged archive": (lambda b: b.archive.write_bytes(b"an archivE"), WHOLE, "has the sum"),
    "no manifest": (lambda b: b.archive.with_name("env.json").unlink(), WHOLE, "env.json is missing"),
    "a manifest that is none": (lambda b: b.archive.with_name("env.json").write_text("{"), WHOLE, "is no manifest"),
    "no sum": (lambda b: b.archive.with_name("env.tar.gz.sha256").unlink(), WHOLE, "sha256 is missing"),
    "no worker": (lambda b: (b.sidecar / "ml_runtime" / "__main__.py").unlink(), FILES, "lacks ml_runtime/__"),
    "old source": (lambda b: (b.sidecar / "rpc" / "peer.py").write_text(""), FILES, "not of this checkout: rpc/"),
    "no library": (lambda b: (b.sidecar / "_internal" / "_duckdb.so").rmdir(), FILES, "_duckdb"),
    "no notices": (lambda b: (b.sidecar / "THIRD_PARTY_NOTICES.txt").unlink(), FILES, "lacks THIRD_PARTY_NOTICES.txt"),
    "no set-up": (lambda b: b.answer(env_setup={"code": 1006, "message": "no python"}), READY, r"no python (1006)"),
    "broken": (lambda b: b.answer(env_check={"status": "broken", "problem": "torn"}), READY, "broken: torn"),
    "a failed job": (lambda b: b.answer(inference_run=GOOD["inference/run"] | {"state": "failed"}), SCORES, "failed"),
    "lost clips": (lambda b: b.answer(inference_run=GOOD["inference/run"] | {"clips": 5}), SCORES, "5 of 6 clips"),
    "a sudden end": (lambda b: b.answer(inference_run={"dies": 9}), SCORES, "It ended (9)"),
    "no picture": (lambda b: b.answer(detections_sample={"detections": [BARE]}), SCORES, "no spectrogram"),
    "no detection": (lambda b: b.answer(detections_sample={"detections": []}), SCORES, "not the call"),
}  # fmt: skip
STRAY = "#!/bin/sh\nif [ $# = 1 ]; then echo sidecar " + VERSION + "; else echo hello; cat > /dev/null; fi"


def test_it_passes_where_all_is_well(built: Built, tmp_path: Path) -> None:
    code, said = run(built.sidecar, built.archive, tmp_path / "scratch")

    assert (code, said.splitlines()[-1]) == (0, f"{STEPS} passed, 0 failed"), said


@pytest.mark.skipif(os.name == "nt", reason="the fake is a script")
@pytest.mark.parametrize("case", BREAKING)
def test_it_fails_where_something_is_wrong(built: Built, tmp_path: Path, case: str) -> None:
    damage, step, words = BREAKING[case]
    damage(built)

    code, said = run(built.sidecar, built.archive, tmp_path / "scratch")

    faults = dict(line.removeprefix("FAILED  ").split(": ", 1) for line in said.splitlines() if "FAILED" in line)
    assert code == 1, said
    assert words in faults.pop(step)
    assert all(fault.startswith("not tried") for fault in faults.values()), said
    assert said.splitlines()[-1] == f"{STEPS - 1 - len(faults)} passed, {1 + len(faults)} failed"


@pytest.mark.slow
@pytest.mark.archive
@pytest.mark.skipif(frozen_executable() is None, reason="no frozen sidecar: run `dev.py test --frozen`")
def test_what_was_built_can_be_passed_on(tmp_path: Path) -> None:
    executable = frozen_executable()
    assert executable is not None

    code, said = run(executable.parent, ARCHIVE, tmp_path / "scratch")

    assert (code, said.splitlines()[-1]) == (0, f"{STEPS} passed, 0 failed"), said
