"""Source or frozen: one place decides, and `dev.py test --frozen` leaves no test out that starts a sidecar."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tools.paths import ROOT
from tools.testing import STARTING_A_SIDECAR
from tools.which_sidecar import VARIABLE, frozen_executable, sidecar_command

STARTS = re.compile(
    r"^from tests\.rpc\.wire import .*\b(Wire|command)\b|\b(start_sidecar|sidecar_command)\(", re.MULTILINE
)


def test_it_is_the_checkouts_unless_another_is_named(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    source, with_another = sidecar_command("--version"), sidecar_command(python=Path("/other/python"))
    monkeypatch.setenv(VARIABLE, "dist/sidecar")
    monkeypatch.chdir("/")
    frozen = sidecar_command("--version", Path("x"))

    assert source == [sys.executable, "-m", "sidecar", "--version"]
    assert with_another == ["/other/python", "-m", "sidecar"]
    assert frozen == ["/dist/sidecar", "--version", "x"]
    assert frozen_executable() == Path("/dist/sidecar")


def test_every_test_that_starts_a_sidecar_is_run_against_the_frozen_one():
    listed = [path for paths in STARTING_A_SIDECAR.values() for path in paths]
    starting = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if path != Path(__file__) and STARTS.search(path.read_text("utf-8"))
    }

    assert len(starting) > 10
    assert {path for path in starting if not path.startswith(tuple(listed))} == set()
    assert all((ROOT / path.partition("::")[0]).exists() for path in listed)


def test_no_test_spells_how_a_sidecar_is_started():
    spelled = re.compile(r"\"-m\", \"sidecar\"")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("*.py")
        if path != Path(__file__) and spelled.search(path.read_text("utf-8"))
    }

    assert found == set()
