"""Killed at any instant, and two at once: real processes on one folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from rpc.errors import RequestCancelled
from sidecar.environment.places import Places
from sidecar.environment.verify import check_folder
from tests.sidecar.environment import tiny
from tests.sidecar.environment.conftest import Machine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 60
SET_UP = """
import sys
from pathlib import Path
from rpc.cancel import CancelToken
from sidecar.environment.order import How
from sidecar.environment.setup import set_up

def tell(doing, done, total):
    print(doing, flush=True)
    if doing.startswith(sys.argv[3]):
        sys.stdin.read()

environment = set_up(Path(sys.argv[1]), Path(sys.argv[2]), How(token=CancelToken(), on_progress=tell))
print(environment.status, flush=True)
"""


def start(machine, archive: Path, stop_at: str = "never") -> subprocess.Popen[str]:
    """A process that sets up, and waits at a step until its stdin is closed."""
    return subprocess.Popen(
        [sys.executable, "-c", SET_UP, str(machine.folder), str(archive), stop_at],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], start_of_line: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start_of_line):
            return
    raise AssertionError(f"it ended without saying {start_of_line!r}")


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def noisy_archive(machine: Machine) -> Path:
    return machine.archive(tiny.environment(extra=[tiny.file("lib/noise", os.urandom(20_000_000))]))


@pytest.mark.parametrize("step", ["extracting the archive", "correcting the paths", "importing the models' packages"])
def test_the_call_after_a_kill_notices_cleans_and_starts_again(machine, step):
    # Arrange
    archive = noisy_archive(machine)
    killed = start(machine, archive, stop_at=step)
    read_until(killed, step)
    kill(killed)
    interrupted = check_folder(machine.folder)

    # Act
    environment = machine.set_up(archive)

    # Assert
    assert interrupted.status == "incomplete"
    assert environment.status == "ready"
    assert check_folder(machine.folder, deep=True).status == "ready"
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3, 0.5])
def test_killed_at_any_time(machine, delay):
    archive = noisy_archive(machine)
    killed = start(machine, archive)
    read_until(killed, "extracting")
    time.sleep(delay)  # the point is that nobody knows where this is
    kill(killed)

    assert check_folder(machine.folder).status in ("incomplete", "missing", "ready")
    assert machine.set_up(archive).status == "ready"
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


@pytest.mark.parametrize("step", ["extracting the archive", "correcting the paths", "importing the models' packages"])
def test_killed_while_replacing_the_old_environment_is_not_lost(machine, step):
    # Arrange
    machine.set_up(machine.archive())
    newer = machine.archive(tiny.environment(tiny.fake_python(version="3.12.1")), name="newer.tar.gz")
    killed = start(machine, newer, stop_at=step)
    read_until(killed, step)
    kill(killed)
    machine.told.clear()

    # Act
    environment = machine.set_up(machine.root / "archives" / "env.tar.gz")

    # Assert
    assert (environment.status, environment.python_version) == ("ready", "3.11.7")
    assert machine.doings() == [], "the old one was put back, not made again"
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


def test_killed_between_the_two_renames(machine):
    machine.set_up(machine.archive())
    places = Places(machine.folder)
    machine.folder.rename(places.old)
    places.aside.mkdir()

    environment = machine.set_up(machine.root / "archives" / "env.tar.gz")

    assert environment.status == "ready"
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


def test_what_was_still_being_deleted_is_deleted_by_the_next_call(machine):
    trash = machine.folder.parent / ".environment.1a2b3c4d.trash"
    (trash / "lib").mkdir(parents=True)
    (trash / "lib" / "large").write_bytes(b"x")

    machine.set_up(machine.archive())

    wait_until(lambda: sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"])


def test_a_slow_disk_does_not_delay_the_answer_to_a_cancel(machine, monkeypatch):
    # Arrange: deleting takes as long as we like.
    delete, may_delete = shutil.rmtree, threading.Event()

    def delete_slowly(folder: Path, ignore_errors: bool) -> None:
        may_delete.wait(PATIENCE_SECONDS)
        delete(folder, ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", delete_slowly)
    token = CancelToken()
    monkeypatch.setattr(machine, "_tell", lambda *_: token.cancel())

    # Act
    started = time.monotonic()
    with pytest.raises(RequestCancelled):
        machine.set_up(machine.archive(), token=token)
    answered_after = time.monotonic() - started

    # Assert
    assert answered_after < PATIENCE_SECONDS / 2
    may_delete.set()
    wait_until(lambda: list(machine.folder.parent.iterdir()) == [])


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_of_two_at_once_one_works_and_the_other_finds_it_done(machine):
    # Arrange
    archive = noisy_archive(machine)
    first = start(machine, archive, stop_at="importing")
    read_until(first, "importing")

    # Act
    second = start(machine, archive)
    read_until(second, "waiting for another program")
    first_says, _ = first.communicate(timeout=PATIENCE_SECONDS)
    second_says, _ = second.communicate(timeout=PATIENCE_SECONDS)

    # Assert
    assert first_says.splitlines()[-1] == "ready"
    assert second_says.splitlines()[-1] == "ready"
    assert "extracting" not in second_says
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


def test_the_one_that_waits_takes_over_when_the_other_dies(machine):
    archive = noisy_archive(machine)
    first = start(machine, archive, stop_at="importing")
    read_until(first, "importing")
    second = start(machine, archive)
    read_until(second, "waiting for another program")

    kill(first)
    second_says, _ = second.communicate(timeout=PATIENCE_SECONDS)

    assert "extracting" in second_says
    assert second_says.splitlines()[-1] == "ready"


def test_many_at_once(machine):
    archive = machine.archive()
    several = [start(machine, archive) for _ in range(5)]

    said = [process.communicate("", timeout=PATIENCE_SECONDS)[0].splitlines() for process in several]

    assert [lines[-1] for lines in said] == ["ready"] * 5
    assert sum("extracting the archive" in lines for lines in said) == 1
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]
