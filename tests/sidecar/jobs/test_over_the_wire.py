"""Jobs as a client sees them: a real sidecar, driven over its stdio, whose "interpreter" runs the fake worker."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rpc.wire import CLOSED, PATIENCE_SECONDS, Wire, command, request, wait_until
from tests.sidecar.jobs.conftest import FAKE_WORKER, sound

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the interpreter is a shell script")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Called as `python -I ml_runtime/__main__.py`, it runs the fake instead, and leaves its pid."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho $$ > "{tmp_path}/worker.pid"\nexec "{sys.executable}" -I "{FAKE_WORKER}"\n')
    script.chmod(0o755)
    sound(tmp_path / "recordings" / "a.wav")
    return script


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    with started(tmp_path) as wire:
        yield wire


def started(folder: Path) -> Wire:
    return Wire(argv=command("--state-folder", str(folder / "state"), "--cache-folder", str(folder / "cache")))


def run_params(folder: Path, python: Path, behaviour: str, **more: Any) -> dict[str, Any]:
    config = {
        "name": behaviour,
        "model": {"source": "zoo", "name": behaviour, "options": {"release": str(folder / "release")}},
        "input": {"folders": [str(folder / "recordings")]},
        "output": {"folder": str(folder / "output")},
    }
    return {"config": config, "environment": {"python": str(python)}, **more}


def initialize(wire: Wire) -> None:
    wire.ask(0, "initialize", {"processId": None, "capabilities": {}})
    wire.reply(0)


def first_progress(wire: Wire) -> dict[str, Any]:
    while True:
        message = wire.next()
        if message.get("method") == "$/progress":
            value: dict[str, Any] = message["params"]["value"]
            return value


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_cancelling_the_request_cancels_the_job_and_tells_where_it_is(wire: Wire, python: Path, tmp_path: Path) -> None:
    wire.ask(1, "inference/run", run_params(tmp_path, python, "waits", workDoneToken=0))
    first = first_progress(wire)
    wire.tell("$/cancelRequest", {"id": 1})

    error = wire.reply(1)["error"]

    assert first["kind"] == "begin"
    assert error["code"] == -32800
    assert error["data"]["jobId"] == first["jobId"]
    assert error["data"]["jobFolder"] == first["jobFolder"]
    assert error["data"]["state"] == "cancelled"


def test_a_job_that_is_not_waited_for_is_followed_by_notifications(wire: Wire, python: Path, tmp_path: Path) -> None:
    initialize(wire)
    wire.ask(1, "inference/run", run_params(tmp_path, python, "waits", wait=False))
    job = wire.reply(1)["result"]
    (tmp_path / "release").touch()

    states: list[str] = []
    while not states or states[-1] != "completed":
        message = wire.next()
        if message.get("method") == "jobs/changed":
            states.append(message["params"]["job"]["state"])
    wire.ask(2, "jobs/get", {"jobId": job["jobId"]})

    assert job["state"] in ("queued", "preparing")
    assert wire.reply(2)["result"]["state"] == "completed"


def test_a_crash_is_an_error_with_a_hint(wire: Wire, python: Path, tmp_path: Path) -> None:
    wire.ask(1, "inference/run", run_params(tmp_path, python, "killed"))

    error = wire.reply(1)["error"]

    assert error["code"] == 1008
    assert error["data"]["retryable"]
    assert "memory" in error["data"]["hint"]
    assert error["data"]["state"] == "failed"


def test_a_pipe_runs_its_job_to_the_end_and_leaves_no_worker(wire: Wire, python: Path, tmp_path: Path) -> None:
    wire.send(request(1, "inference/run", run_params(tmp_path, python, "ok")))
    wire.close_stdin()

    messages = wire.rest()

    assert messages[-1]["result"]["state"] == "completed"
    assert wire.exit_code() == 0
    pid = int((tmp_path / "worker.pid").read_text())
    wait_until(lambda: not alive(pid))


@pytest.mark.parametrize("behaviour", ["waits", "deaf"])
def test_a_client_that_leaves_leaves_no_worker_and_a_job_to_resume(
    python: Path, tmp_path: Path, behaviour: str
) -> None:
    with started(tmp_path) as first:
        initialize(first)
        first.ask(1, "inference/run", run_params(tmp_path, python, behaviour, wait=False))
        job = first.reply(1)["result"]
        wait_until(lambda: (tmp_path / "worker.pid").exists())
        first.close_stdin()
        assert first.rest(PATIENCE_SECONDS) is not CLOSED
        first.exit_code()
    pid = int((tmp_path / "worker.pid").read_text())
    wait_until(lambda: not alive(pid))

    with started(tmp_path) as second:
        second.ask(1, "jobs/list", {})
        [listed] = second.reply(1)["result"]["jobs"]

    assert listed["jobId"] == job["jobId"]
    assert listed["state"] in ("interrupted", "cancelled")


def test_a_killed_sidecar_leaves_no_worker_and_a_job_to_resume(python: Path, tmp_path: Path) -> None:
    with started(tmp_path) as first:
        first.ask(1, "inference/run", run_params(tmp_path, python, "waits", workDoneToken="t"))
        folder = first_progress(first)["jobFolder"]
        wait_until(lambda: (tmp_path / "worker.pid").exists())
        first.process.kill()
    pid = int((tmp_path / "worker.pid").read_text())
    wait_until(lambda: not alive(pid))
    (tmp_path / "release").touch()

    with started(tmp_path) as second:
        second.ask(1, "jobs/list", {})
        [listed] = second.reply(1)["result"]["jobs"]
        second.ask(2, "jobs/resume", {"jobFolder": folder, "environment": {"python": str(python)}})
        report = second.reply(2)["result"]

    assert listed["state"] == "interrupted"
    assert report["state"] == "completed"
    assert report["jobId"] == listed["jobId"]
