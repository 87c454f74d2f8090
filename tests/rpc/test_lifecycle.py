"""However it ends, it ends: exit codes, and no process left behind."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rpc.liveness import ProcessWatch
from tests.rpc.wire import ROOT, Wire, command, request, wait_until

GONE_WITHIN_SECONDS = 5.0
DEAF = {"seconds": 600, "deaf": True, "workDoneToken": "deaf"}
LISTENING = {"seconds": 600, "workDoneToken": "listening"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def gone(pid: int) -> bool:
    return not ProcessWatch(pid).alive()


def descendants(pid: int) -> set[int]:
    """`pid` and all below it, from /proc."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found, open_ = set(), [pid]
    while open_:
        found.add(current := open_.pop())
        open_ += children.get(current, [])
    return found


def begun(wire: Wire, *tokens: str) -> None:
    """Wait until the requests with these tokens run."""
    waiting = set(tokens)
    while waiting:
        waiting.discard(wire.next().get("params", {}).get("token"))


@pytest.fixture(autouse=True)
def signals_are_not_ignored() -> Iterator[None]:
    """A shell's background job, or nohup, would make the servers inherit that they are: they respect it."""
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


def test_input_that_ends_after_the_handshake_means_that_the_client_is_gone(wire):
    wire.ask(0, "initialize", {})
    wire.reply(0)
    wire.ask(1, "sleep", LISTENING)
    begun(wire, "listening")
    start = time.monotonic()

    wire.close_stdin()

    assert wire.rest()[-1]["error"]["code"] == -32800
    assert wire.exit_code() == 3
    assert time.monotonic() - start < GONE_WITHIN_SECONDS


def test_input_that_ends_without_a_handshake_lets_all_work_end(wire):
    wire.ask(1, "sleep", {"seconds": 0.5})
    wire.ask(2, "bytes", {"count": 5_000_000})

    wire.close_stdin()

    assert {reply["id"] for reply in wire.rest()} == {1, 2}
    assert wire.exit_code() == 0


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)])
@pytest.mark.parametrize("handler", ["listening", "deaf"])
def test_signals(wire, name, code, handler):
    wire.ask(1, "sleep", DEAF if handler == "deaf" else LISTENING)
    wire.ask(2, "child", {"seconds": 600, "workDoneToken": "child"})
    begun(wire, handler, "child")
    processes = descendants(wire.process.pid)

    wire.process.send_signal(getattr(signal, name))

    replies = [message for message in wire.rest() if "id" in message]
    assert sorted(reply["id"] for reply in replies) == [1, 2]
    assert {reply["error"]["code"] for reply in replies} == {-32800}
    assert wire.exit_code(GONE_WITHIN_SECONDS) == code
    assert len(processes) == 2
    wait_until(lambda: all(map(gone, processes)), GONE_WITHIN_SECONDS)


def test_exit_during_shutdown_still_answers_everything(wire):
    wire.ask(1, "sleep", DEAF)
    begun(wire, "deaf")
    wire.ask(2, "shutdown")
    wire.ask(3, "get_data")
    wire.tell("exit")
    wire.tell("exit")

    replies = {reply["id"]: reply for reply in wire.rest() if "id" in reply}

    assert replies[1]["error"]["code"] == -32800
    assert replies[2]["result"] is None
    assert replies[3]["error"]["code"] == -32600
    assert wire.exit_code() == 0


def test_a_handshake_with_a_dead_process(wire):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    wire.ask(1, "initialize", {"processId": process.pid})

    assert wire.reply(1)["result"]["serverInfo"]["name"] == "sidecar"
    assert wire.exit_code(GONE_WITHIN_SECONDS) == 3


def test_the_process_named_in_the_handshake_is_watched(wire):
    """Somebody else holds our stdin open, so its end would never come."""
    client = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    wire.ask(1, "initialize", {"processId": client.pid})
    wire.reply(1)
    wire.ask(2, "child", {"seconds": 600, "workDoneToken": "child"})
    begun(wire, "child")
    processes = descendants(wire.process.pid)

    client.kill()  # and not waited for: a zombie is dead, too

    wait_until(lambda: all(map(gone, processes)), GONE_WITHIN_SECONDS)
    assert wire.exit_code() == 3
    client.wait()


def test_an_output_that_is_closed_while_nothing_is_said(wire):
    process = subprocess.Popen(command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request(1, "health") + b"\n")
    process.stdin.flush()
    process.stdout.readline()

    process.stdout.close()

    assert process.wait(GONE_WITHIN_SECONDS) == 3
    process.stdin.close()


@pytest.mark.parametrize(
    ("redirection", "code", "output"), [("<&-", 0, b""), ("2>&-", 0, b"1"), (">&-", 3, b""), ("<&- >&- 2>&-", 3, b"")]
)
def test_descriptors_that_are_closed_from_the_start(redirection, code, output):
    line = f"{shlex.join(command('--test-methods'))} {redirection}"

    finished = subprocess.run(
        ["sh", "-c", line], input=request(1, "subtract", [2, 1]) + b"\n", capture_output=True, cwd=ROOT, check=False
    )

    assert finished.returncode == code
    assert finished.stdout.count(b"result") == len(output)


PARENT = """
import json, os, subprocess, sys, time
server = subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def send(**message):
    server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\\n"); server.stdin.flush()
if sys.argv[2] != "no handshake":
    params = {"processId": os.getpid()} if sys.argv[2] == "with processId" else {}
    send(id=0, method="initialize", params=params)
send(id=1, method="child", params={"seconds": 600, "workDoneToken": "child"})
for line in server.stdout:
    if b"begin" in line: break
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("handshake", ["with processId", "without processId"])
def test_a_parent_that_is_killed(handshake):

    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, json.dumps(command("--test-methods")), handshake],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    processes = descendants(server)

    parent.kill()

    assert len(processes) == 2
    wait_until(lambda: all(map(gone, processes)), GONE_WITHIN_SECONDS)
    parent.wait()
    parent.stdout.close()


WORKER = f"""
import subprocess, sys; sys.path.insert(0, {str(ROOT)!r})
from rpc import channel
from rpc.methods import Method
def nurse(params, call):
    sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
    nested = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"
    subprocess.Popen(sleeps)
    subprocess.Popen([sys.executable, "-c", nested, *sleeps])
    return True
registry = {{"nurse": (Method("nurse", "", "NoParams", "None"), lambda: nurse)}}
info = channel.ServerInfo(name="worker", version="1")
channel.serve(registry, channel.Options(info, kill_group_at_end=True))
"""

SIDECAR = f"""
import sys, time; sys.path.insert(0, {str(ROOT)!r})
from rpc import child
from rpc.connection import Connection
process = child.spawn([sys.executable, "-c", sys.argv[1]], own_session=True)
Connection(process).call("nurse", None, bool).result(20)
print(process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["kill", "close"])
def test_a_worker_takes_its_own_children_along(how):
    """Sidecar killed: the worker sees the end of its stdin and ends its whole process group, itself last."""
    script = SIDECAR if how == "kill" else SIDECAR.replace("time.sleep(600)", "Connection(process).close()")
    sidecar = subprocess.Popen([sys.executable, "-c", script, WORKER], stdout=subprocess.PIPE)
    assert sidecar.stdout is not None
    worker = int(sidecar.stdout.readline())
    processes = descendants(worker) if how == "kill" else {worker}

    if how == "kill":
        wait_until(lambda: len(descendants(worker)) == 4)
        processes = descendants(worker)
        sidecar.kill()

    wait_until(lambda: all(map(gone, processes)), GONE_WITHIN_SECONDS)
    sidecar.wait()
    sidecar.stdout.close()


def test_a_crash_has_a_code_of_its_own(tmp_path):
    broken: Any = tmp_path / "folder that is a file"
    broken.write_text("")

    finished = subprocess.run(
        command("--log-file", str(broken / "log")), input=b"", capture_output=True, cwd=ROOT, check=False
    )

    assert finished.returncode == 70
    assert b"Traceback" in finished.stderr
    assert finished.stdout == b""


def test_usage_and_version():
    usage = subprocess.run(command("--framing", "smoke"), capture_output=True, cwd=ROOT, check=False)
    version = subprocess.run(command("--version"), capture_output=True, cwd=ROOT, check=False)

    assert usage.returncode == 2
    assert b"--framing" in usage.stderr
    assert version.returncode == 0
    assert version.stdout.startswith(b"sidecar ")
