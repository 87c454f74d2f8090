"""Children: their environment, their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rpc import child
from rpc.cancel import CancelToken
from rpc.errors import FileMissing, PermissionRefused, RequestCancelled, TimedOut
from rpc.liveness import ProcessWatch, reader_gone
from tests.rpc.wire import ROOT, wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def gone(pid: int) -> bool:
    return not ProcessWatch(pid).alive()


def test_a_frozen_program_leaves_no_trace_in_the_environment(monkeypatch):
    base = {
        "HOME": "/h",
        "LD_LIBRARY_PATH": "/frozen",
        "LD_LIBRARY_PATH_ORIG": "/user",
        "_PYI_ARCHIVE_FILE": "x",
        "_MEIPASS2": "x",
        "PYTHONPATH": "x",
        "PYTHONHOME": "x",
    }

    restored = child.clean_environment(base, EXTRA="1")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    removed = child.clean_environment({"LD_LIBRARY_PATH": "/frozen"})

    assert restored == {"HOME": "/h", "LD_LIBRARY_PATH": "/user", "EXTRA": "1"}
    assert removed == {}


def test_scripts_of_a_frozen_program_write_nothing_beside_it(monkeypatch):
    python, script = Path("/env/bin/python"), Path("/app/ml_runtime/__main__.py")

    source = child.python_script(python, script, "--import")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    frozen = child.python_script(python, script)

    assert source == [python, "-I", script, "--import"]
    assert frozen == [python, "-I", "-B", script]


def test_run_keeps_what_was_printed():
    code = "import sys; print(sys.stdin.read()); print('err', file=sys.stderr); sys.exit(3)"

    finished = child.run([sys.executable, "-c", code], stdin=b"hello")

    assert finished == child.Finished(3, b"hello\n", b"err\n")


def test_run_ends_with_its_token():
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()

    with pytest.raises(RequestCancelled):
        child.run(SLEEP, token=token)


def test_run_ends_with_its_time():
    with pytest.raises(TimedOut, match=r"0\.2 seconds"):
        child.run(SLEEP, timeout=0.2)


def test_what_cannot_be_started_is_a_clear_error(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("no program")

    with pytest.raises(FileMissing, match="nowhere"):
        child.run(["/nowhere"])
    with pytest.raises(PermissionRefused):
        child.run([plain])


def test_kill_takes_the_whole_group():
    code = f"import subprocess, sys; p = subprocess.Popen({SLEEP!r}); print(p.pid, flush=True); p.wait()"
    process = child.spawn([sys.executable, "-c", code])
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())

    child.kill(process)
    child.kill(process)

    assert process.returncode == -signal.SIGKILL
    assert child.describe_exit(process) == "signal SIGKILL"
    wait_until(lambda: gone(grandchild))


def test_end_is_patient_first():
    polite = child.spawn([sys.executable, "-c", "import sys; sys.stdin.read()"])
    deaf = child.spawn(SLEEP)

    assert child.end(polite, 10) == 0
    assert child.end(deaf, 0.1) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
@pytest.mark.parametrize("thread", ["main", "a thread that ends"])
def test_a_child_dies_with_us_and_not_with_the_thread_that_asked(tmp_path, thread):
    script = tmp_path / "parent.py"
    script.write_text(
        f"import sys, threading, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from rpc import child\n"
        f"def start(): print(child.spawn({SLEEP!r}, stdin=child.DEVNULL, stdout=child.DEVNULL).pid, flush=True)\n"
        + ("start()\n" if thread == "main" else "t = threading.Thread(target=start); t.start(); t.join()\n")
        + "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.2)  # were it bound to the thread, it would be gone by now
    lives = not gone(pid)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert lives
    wait_until(lambda: gone(pid))


def test_a_process_is_watched_by_more_than_its_number():
    process = subprocess.Popen(SLEEP)
    watch = ProcessWatch(process.pid)
    alive = watch.alive()

    process.kill()
    wait_until(lambda: not watch.alive())  # a zombie does not count
    process.wait()

    assert alive
    assert not watch.alive()
    assert not ProcessWatch(2**22 + 1).alive()
    assert not ProcessWatch(-1).alive()
    assert ProcessWatch(os.getpid()).alive()


def test_an_output_that_nobody_holds_is_noticed():
    reader, writer = os.pipe()
    before = reader_gone(writer)
    os.close(reader)

    assert not before
    assert reader_gone(writer)
    os.close(writer)
