"""Real vscode-jsonrpc clients, the newest releases of three majors, drive the real server (tests/node/client.cjs)."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from tests.rpc.wire import ROOT, command
from tools.node import ensure_packages

FOLDER = ROOT / "tests" / "node"
SCRIPT = FOLDER / "client.cjs"
SCENARIOS = re.findall(r"^  async '?([^'(]+)'?\(", SCRIPT.read_text("utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with the packages of tests/node installed."""
    return str(ensure_packages(FOLDER).program)


def test_every_scenario_is_found(node):
    listed = subprocess.run([node, SCRIPT, "10", "--list", "[]"], cwd=FOLDER, capture_output=True, check=True).stdout

    assert json.loads(listed) == SCENARIOS


@pytest.mark.parametrize("version", ["8", "9", "10"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_vscode_jsonrpc(node, version, scenario):
    argv = json.dumps(command("--test-methods"))

    finished = subprocess.run(
        [node, str(SCRIPT), version, scenario, argv],
        cwd=FOLDER,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr


def environment() -> dict[str, str]:

    return {**os.environ, "PYTHONPATH": str(ROOT)}
