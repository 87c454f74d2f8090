"""What is told about the conversation, on the wire and in the log: enough to find a fault, never a secret."""

from __future__ import annotations

import json
import logging
from logging.handlers import RotatingFileHandler

import pytest

from rpc import logs
from rpc.redact import redact_json, redact_line
from tests.rpc.wire import Wire

SECRETS = {
    "token=abc123": "abc123",
    "apiToken: 'abc123'": "abc123",
    '{"password": "hunter2"}': "hunter2",
    "Authorization: Bearer abc.def": "abc.def",
    "api_key=abc": "=abc",
    "https://user:pw@example.org/x.tar.gz": "user:pw",
    "https://example.org/x.tar.gz?signature=abc": "abc",
    "base64 " + "QUJD" * 100: "QUJDQUJD",
}


@pytest.mark.parametrize("line", SECRETS)
def test_a_line_hides_what_is_secret(line):
    assert SECRETS[line] not in redact_line(line)


@pytest.mark.parametrize(
    "line",
    [
        "read /recordings/site 3/2026-05-01.wav in 3 ms",
        "/" + "/".join(["a folder with a long name"] * 20),
        "the progress token 3",
        "https://example.org/archive.tar.gz",
    ],
)
def test_a_line_shows_what_is_not(line):
    assert redact_line(line) == line


def test_params_are_shown_short_and_without_sound():
    params = {
        "path": "/a.wav",
        "apiKey": "hush",
        "nested": [{"password": "hush"}],
        "audio": {"kind": "inline", "base64": "hush" * 1000},
        "workDoneToken": 7,
    }

    shown = redact_json(json.dumps(params).encode())

    assert "hush" not in shown
    assert json.loads(shown)["path"] == "/a.wav"
    assert json.loads(shown)["workDoneToken"] == 7
    assert redact_json(b'"' + b"x" * 100_000 + b'"') == "<100002 bytes>"
    assert redact_json(b"[" * 5000) == "<5000 bytes>"
    assert len(redact_json(json.dumps(["word"] * 5000).encode())) < 2100


def heard(wire: Wire, trace: str) -> list[dict[str, str]]:
    """The `$/logTrace` values while a request is answered."""
    wire.tell("$/setTrace", {"value": trace})
    wire.ask("q", "echo", {"text": "hello", "secret": "hush"})
    return [message["params"] for message in wire.until("q") if message.get("method") == "$/logTrace"]


def test_the_trace_is_as_detailed_as_the_client_says():
    with Wire() as wire:
        before = heard(wire, "verbose")  # nothing is told before the handshake
        wire.ask(0, "initialize", {"trace": "messages"})
        wire.reply(0)
        wire.ask(1, "echo")
        at_once = [message for message in wire.until(1) if "method" in message]
        messages, verbose, off = heard(wire, "messages"), heard(wire, "verbose"), heard(wire, "off")

    assert before == []
    assert [message["method"] for message in at_once] == ["$/logTrace", "$/logTrace"]
    assert [message["message"].partition(" '")[0] for message in messages[-2:]] == [
        "Received request",
        "Sending response",
    ]
    assert all("verbose" not in message for message in messages)
    assert "hello" in verbose[-1]["verbose"]
    assert "hush" not in json.dumps(verbose)
    assert [m for m in off if "echo" in m["message"]] == []


def test_a_traceback_crosses_the_wire_only_to_who_traces():
    with Wire() as wire:
        wire.ask(0, "initialize", {})
        wire.reply(0)
        wire.ask(1, "fail")
        plain = wire.reply(1)["error"]
        wire.tell("$/setTrace", {"value": "messages"})
        wire.ask(2, "fail")
        traced = wire.reply(2)["error"]

    assert "detail" not in plain["data"]
    assert "ZeroDivisionError" in traced["data"]["detail"]


def test_log_lines_name_their_request():
    with Wire() as wire:
        wire.ask("abc", "fail")
        wire.reply("abc")
        wire.close_stdin()
        wire.rest()
        wire.exit_code()

    line = next(line for line in bytes(wire.errors).decode().splitlines() if "ERROR" in line)
    assert "[abc fail]" in line


def test_the_log_file_rotates(tmp_path):
    path = tmp_path / "folder" / "sidecar.log"
    root, handlers = logging.getLogger(), list(logging.getLogger().handlers)
    try:
        logs.configure("info", path)
        rotating = next(handler for handler in root.handlers if isinstance(handler, RotatingFileHandler))
        rotating.maxBytes = 2000
        for number in range(400):
            logging.getLogger("test").info("line %d token=%s", number, "hush")
    finally:
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
            handler.close()

    written = sorted(tmp_path.rglob("sidecar.log*"))
    assert len(written) == 6
    assert all(file.stat().st_size <= 2000 for file in written)
    assert "line 399" in path.read_text()
    assert "hush" not in "".join(file.read_text() for file in written)


def test_a_log_file_is_written_by_the_server(tmp_path):
    with Wire("--log-file", str(tmp_path / "log"), "--log-level", "debug") as wire:
        wire.ask(7, "fail")
        wire.reply(7)

    assert "[7 fail]" in (tmp_path / "log").read_text()
