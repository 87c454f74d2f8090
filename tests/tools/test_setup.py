"""Environments of a checkout are made once, made anew after an interruption, and cost nothing when current."""

from __future__ import annotations

import sys

import pytest

from tools import processes, setup


@pytest.fixture
def made(monkeypatch):
    """Counts how often an environment is filled; it is made by the real venv, less pip, which takes seconds."""
    monkeypatch.setattr(setup, "_VENV_OPTIONS", ("--without-pip",))
    calls: list[str] = []

    def fill(python):
        assert python.exists()
        calls.append(str(python))

    return calls, fill


def test_an_environment_is_made_once(tmp_path, made):
    calls, fill = made
    (tmp_path / "lock.txt").write_text("numpy==2")

    first = setup._ensure(tmp_path / "env", "an environment", [tmp_path / "lock.txt"], fill)
    second = setup._ensure(tmp_path / "env", "an environment", [tmp_path / "lock.txt"], fill)

    assert first == second
    assert len(calls) == 1


def test_a_changed_lock_fills_it_again(tmp_path, made):
    calls, fill = made
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==2")
    setup._ensure(tmp_path / "env", "an environment", [lock], fill)

    lock.write_text("numpy==3")
    setup._ensure(tmp_path / "env", "an environment", [lock], fill)

    assert len(calls) == 2


def test_an_interrupted_one_is_made_anew(tmp_path, made):
    calls, fill = made
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==2")

    def interrupted(python):
        (tmp_path / "env" / "half-written").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        setup._ensure(tmp_path / "env", "an environment", [lock], interrupted)
    setup._ensure(tmp_path / "env", "an environment", [lock], fill)

    assert not (tmp_path / "env" / "half-written").exists()
    assert len(calls) == 1


def test_a_failing_program_is_told_by_its_code():
    with pytest.raises(processes.CommandFailed) as failed:
        processes.run([sys.executable, "-c", "raise SystemExit(7)"])

    assert failed.value.code == 7
