"""python-lsp-jsonrpc's stream classes as a second, unrelated client."""

from __future__ import annotations

import itertools
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rpc.wire import PATIENCE_SECONDS, ROOT, command

streams = pytest.importorskip("pylsp_jsonrpc.streams", reason="python-lsp-jsonrpc is needed as a client")
endpoint_module = pytest.importorskip("pylsp_jsonrpc.endpoint")
exceptions = pytest.importorskip("pylsp_jsonrpc.exceptions")


@pytest.fixture
def heard() -> list[Any]:
    return []


@pytest.fixture
def endpoint(heard: list[Any]) -> Iterator[Any]:
    process = subprocess.Popen(command("--test-methods"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    reader, writer = streams.JsonRpcStreamReader(process.stdout), streams.JsonRpcStreamWriter(process.stdin)
    endpoint = endpoint_module.Endpoint({"$/progress": heard.append}, writer.write, itertools.count().__next__)
    thread = threading.Thread(target=reader.listen, args=(endpoint.consume,), daemon=True)
    thread.start()
    yield endpoint
    endpoint.shutdown()
    process.kill()
    process.wait()
    thread.join(PATIENCE_SECONDS)
    writer.close()
    reader.close()


def outcome(future: Any) -> Any:
    return future.result(PATIENCE_SECONDS)


def test_requests(endpoint):
    futures = [endpoint.request("subtract", {"minuend": number, "subtrahend": 1}) for number in range(100)]

    assert [outcome(future) for future in futures] == list(range(-1, 99))
    assert outcome(endpoint.request("get_data")) == ["hello", 5]
    assert outcome(endpoint.request("echo", {"text": "é💩"})) == {"text": "é💩"}
    assert len(outcome(endpoint.request("bytes", {"count": 5_000_000}))) == 5_000_000


def test_errors(endpoint):
    with pytest.raises(exceptions.JsonRpcMethodNotFound):
        outcome(endpoint.request("foobar"))
    with pytest.raises(exceptions.JsonRpcInvalidParams):
        outcome(endpoint.request("sleep", {"seconds": "long"}))


def test_progress_and_cancellation(endpoint, heard):
    slept = endpoint.request("sleep", {"seconds": 0.3, "workDoneToken": "t"})
    assert outcome(slept) == 0.3
    long = endpoint.request("sleep", {"seconds": 600})  # id 1

    endpoint.notify("$/cancelRequest", {"id": 1})  # its own cancel() dies of the answer

    with pytest.raises(exceptions.JsonRpcRequestCancelled):
        outcome(long)
    assert outcome(endpoint.request("get_data")) == ["hello", 5]
    assert heard[0]["value"]["kind"] == "begin"
    assert heard[-1]["value"]["kind"] == "end"


def test_handshake_and_goodbye(endpoint):
    hello = outcome(endpoint.request("initialize", {"processId": None, "capabilities": {}}))

    assert "health" in hello["capabilities"]["methods"]
    assert outcome(endpoint.request("shutdown")) is None
    with pytest.raises(exceptions.JsonRpcInvalidRequest):
        outcome(endpoint.request("health"))
