"""GitHub's workflows: what they promise is there, and the checks of them see what they are for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.checks import WORKFLOWS, workflow_checks

PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
GOOD = """name: x
on: push
permissions: {}
concurrency: { group: x, cancel-in-progress: true }
jobs:
  build:
    name: build
    runs-on: ubuntu-22.04
    timeout-minutes: 5
    steps:
      - run: echo "$GITHUB_REF_NAME"
"""


def check(folder: Path) -> dict[str, str]:
    """What each failing check says."""
    said = {}
    for name, command in workflow_checks(Path(sys.executable), folder).items():
        finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if finished.returncode:
            said[name] = finished.stdout
    return said


def test_a_workflow_without_fault_passes(tmp_path: Path):
    (tmp_path / "x.yml").write_text(GOOD)

    assert check(tmp_path) == {}


@pytest.mark.parametrize(
    ("was", "becomes", "name", "words"),
    [
        ("runs-on: ubuntu-22.04", "runs-in: ubuntu-22.04", "workflows", "runs-in"),
        ("- run: echo", "- uses: actions/checkout@v5\n      - run: echo", "workflow safety", "unpinned-uses"),
        ('"$GITHUB_REF_NAME"', '"${{ github.event.head_commit.message }}"', "workflow safety", "template-injection"),
        ("permissions: {}", "permissions: write-all", "workflow safety", "excessive-permissions"),
    ],
)
def test_a_fault_is_seen(tmp_path: Path, was: str, becomes: str, name: str, words: str):
    assert was in GOOD
    (tmp_path / "x.yml").write_text(GOOD.replace(was, becomes))

    assert words in check(tmp_path)[name]


def test_every_action_is_pinned_by_its_commit_and_says_its_version():
    used = [
        line.strip().removeprefix("- ")
        for path in WORKFLOWS.glob("*.yml")
        for line in path.read_text("utf-8").splitlines()
        if "uses:" in line
    ]

    assert len(used) > 5
    assert [line for line in used if not PINNED.match(line)] == []


def test_a_release_is_built_tested_and_attached_for_every_platform():
    text = (WORKFLOWS / "release.yml").read_text("utf-8")

    assert set(re.findall(r"platform: (\S+)", text)) >= {
        "linux-x86_64", "macos-arm64", "macos-x86_64", "windows-x86_64",
    }  # fmt: skip
    tasks = re.findall(r"python dev\.py (.+)", text)
    assert tasks == ["build-sidecar --twice", "build-runtime", "test --frozen", "dist"]
