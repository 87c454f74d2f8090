"""The client's end, against a real server process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import msgspec
import pytest

from rpc import child
from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.connection import Connection
from rpc.errors import InvalidParams, MethodNotFound, RequestCancelled, WorkerCrashed
from rpc.methods import Params
from sidecar.handlers.testing import BytesParams, RowsParams, SleepParams
from tests.rpc.wire import PATIENCE_SECONDS, ROOT, command, wait_until


class Wrong(Params, frozen=True):
    seconds: str = "long"


@pytest.fixture
def process() -> Iterator[child.Process]:
    argv = command("--test-methods")
    process = child.spawn(argv, cwd=ROOT, env=dict(os.environ), own_session=True)
    yield process
    child.kill(process)
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


@pytest.fixture
def connection(process: child.Process) -> Connection:
    return Connection(process, cancel_grace=1.0)


def outcome(future: Future[Any]) -> Any:
    return future.result(PATIENCE_SECONDS)


def test_a_call_holds_its_decoded_result(connection):
    slept = connection.call("sleep", SleepParams(seconds=0), float)
    text = connection.call("bytes", BytesParams(count=3_000_000), str)
    data = connection.call("get_data", None, tuple[str, int])

    assert outcome(slept) == 0.0
    assert len(outcome(text)) == 3_000_000
    assert outcome(data) == ("hello", 5)


def test_a_call_fails_with_the_leaf_that_was_raised(connection):
    unknown = connection.call("nope", None, None)
    wrong = connection.call("sleep", Wrong(), float)

    with pytest.raises(MethodNotFound, match="nope"):
        outcome(unknown)
    with pytest.raises(InvalidParams, match=r"^\$\.seconds"):
        outcome(wrong)


def test_a_result_of_another_shape_is_no_result(connection):
    with pytest.raises(WorkerCrashed, match="makes no sense"):
        outcome(connection.call("get_data", None, int))


def test_progress_comes_before_the_result(connection):
    told: list[Progress] = []

    outcome(connection.call("sleep", SleepParams(seconds=0.3), float, on_progress=told.append))

    assert told[0].kind == "begin"
    assert told[0].title == "sleeping"
    assert told[-1].kind == "end"
    assert told[-2].done == pytest.approx(0.3, abs=0.2)


def test_rows_come_in_order(connection):
    rows: list[int] = []

    def listen(chunk: list[msgspec.Raw]) -> None:
        rows.extend(msgspec.json.decode(row) for row in chunk)

    rest = outcome(connection.call("rows", RowsParams(count=1000, chunk=7), list[int], on_rows=listen))

    assert rows == list(range(1000))
    assert rest == []


@pytest.mark.parametrize("when", ["before", "running"])
def test_a_token_cancels_the_call(connection, when):
    token, begun = CancelToken(), threading.Event()
    if when == "before":
        token.cancel()

    future = connection.call("sleep", SleepParams(seconds=60), float, token=token, on_progress=lambda _: begun.set())
    if when == "running":
        assert begun.wait(PATIENCE_SECONDS)
        token.cancel()

    with pytest.raises(RequestCancelled):
        outcome(future)
    assert outcome(connection.call("sleep", SleepParams(seconds=0), float)) == 0.0


def test_a_server_that_does_not_listen_is_ended(connection, process):
    token, begun = CancelToken(), threading.Event()
    params = SleepParams(seconds=60, deaf=True)
    future = connection.call("sleep", params, float, token=token, on_progress=lambda _: begun.set())
    assert begun.wait(PATIENCE_SECONDS)

    token.cancel()

    with pytest.raises(RequestCancelled):
        outcome(future)
    assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL


def test_a_server_that_dies_fails_every_call(process):
    ended = threading.Event()
    connection = Connection(process, on_end=ended.set)
    futures: list[Future[float]] = [connection.call("sleep", SleepParams(seconds=60), float) for _ in range(5)]

    os.kill(process.pid, signal.SIGKILL)

    for future in futures:
        with pytest.raises(WorkerCrashed, match="SIGKILL"):
            outcome(future)
    assert ended.wait(PATIENCE_SECONDS)
    assert connection.closed
    with pytest.raises(WorkerCrashed):
        outcome(connection.call("sleep", SleepParams(seconds=0), float))


def test_a_server_that_breaks_the_framing_is_ended():
    process = child.spawn([sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(600)"])
    connection = Connection(process)

    with pytest.raises(WorkerCrashed):
        outcome(connection.call("anything", None, None))
    assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL


def test_close_lets_the_server_leave(connection, process):
    outcome(connection.call("sleep", SleepParams(seconds=0), float))

    code = connection.close()

    assert code == 0
    wait_until(lambda: process.poll() is not None)


def test_notifications_reach_their_listener(process):
    heard: list[str] = []
    connection = Connection(process, on_notification=lambda method, _: heard.append(method))

    connection.notify("initialize")
    outcome(connection.call("get_data", None, list[Any]))

    assert heard == []  # this server has nothing to say of its own
