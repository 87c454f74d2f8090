"""The conformance cases of the protocol, one table, against a real server process.

A case is either what to send and what must come back, run in both framings and fed whole, byte by byte and in
random pieces; or bytes of its own framing; or a script, where time or the process matters.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.rpc.wire import ROOT, Wire, chunks_of, command, framed, notification, request, wait_until

Expected = dict[str, Any]
MIB = 2**20


def R(id: Any, result: Any) -> Expected:
    return {"jsonrpc": "2.0", "id": id, "result": result}


def E(id: Any, code: int, pattern: str = "") -> Expected:
    return {"id": id, "code": code, "pattern": pattern}


@dataclass(frozen=True)
class Case:
    """`send` are bodies, framed by the test; `raw` is a stream that is framed already (its framing named)."""

    numbers: str
    send: tuple[bytes, ...] = ()
    expect: tuple[Any, ...] = ()
    code: int = 0
    raw: bytes = b""
    framing: str = ""
    feeds: tuple[str, ...] = ("whole", "bytes", "random")
    name: str = ""
    arguments: tuple[str, ...] = field(default=())


def one(id: Any, method: str, params: Any = None) -> tuple[bytes]:
    return (request(id, method, params),)


MIXED_BATCH = (
    b'[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
    b' {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},'
    b' {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},'
    b' {"foo": "boo"},'
    b' {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
    b' {"jsonrpc": "2.0", "method": "get_data", "id": "9"}]'
)
TRUNCATED_BATCH = b'[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method" ]'
SMALL_NUMBERS = {"safe": 2**53, "nan": None, "infinity": None, "name": "file:///tmp/%FF.wav"}
PING = request("ping", "subtract", [3, 2])
PONG = R("ping", 1)
BOM = b"\xef\xbb\xbf"


def header(body: bytes, *fields: bytes, newline: bytes = b"\r\n") -> bytes:
    return b"".join(line + newline for line in (*fields, b"")) + body


def length(body: bytes, name: bytes = b"Content-Length: ") -> bytes:
    return name + str(len(body)).encode()


CASES = (
    Case("1", one(1, "subtract", [42, 23]), (R(1, 19),)),
    Case("2", one(2, "subtract", [23, 42]), (R(2, -19),)),
    Case("3", one(3, "subtract", {"subtrahend": 23, "minuend": 42}), (R(3, 19),)),
    Case("4", one(4, "subtract", {"minuend": 42, "subtrahend": 23}), (R(4, 19),)),
    Case("5", (notification("update", [1, 2, 3, 4, 5]),)),
    Case("6", (notification("foobar"),)),
    Case("7", one("1", "foobar"), (E("1", -32601),)),
    Case("8", (b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',), (E(None, -32700),)),
    Case("9", (b'{"jsonrpc": "2.0", "method": 1, "params": "bar"}',), (E(None, -32600),)),
    Case("10", (TRUNCATED_BATCH,), (E(None, -32700),)),
    Case("11", (b"[]",), (E(None, -32600),)),
    Case("12", (b"[1]",), ([E(None, -32600)],)),
    Case("13", (b"[1,2,3]",), ([E(None, -32600)] * 3,)),
    Case(
        "14",
        (MIXED_BATCH,),
        ([R("1", 7), R("2", 19), E(None, -32600), E("5", -32601), R("9", ["hello", 5])],),
    ),
    Case("15", (b'[{"jsonrpc":"2.0","method":"update","params":[1]},{"jsonrpc":"2.0","method":"nope"}]',)),
    Case("16", one(0, "subtract", [1, 1]), (R(0, 0),)),
    Case("17", one(None, "subtract", [1, 1]), (R(None, 0),)),
    Case("18", (*one(True, "subtract", [1, 1]), *one({}, "subtract", [1, 1])), (E(None, -32600), E(None, -32600))),
    Case("19", (b'{"jsonrpc":"1.0","id":5,"method":"get_data"}',), (E(5, -32600),)),
    Case(
        "20",
        (*one(1, "get_data"), b'{"jsonrpc":"2.0","id":2,"method":"get_data","params":null}'),
        (R(1, ["hello", 5]), R(2, ["hello", 5])),
    ),
    Case("21", one(5, "get_data", "x"), (E(5, -32600),)),
    Case(
        "22",
        (
            *one(5, "sleep", {"seconds": 0, "secnods": 1}),
            *one(6, "sleep", {"seconds": "long"}),
            *one(7, "audio/clip", {"path": "a.wav", "startSeconds": 0, "endSeconds": 1, "spectrogram": {"fftSize": 1}}),
            *one(8, "sleep", {}),
        ),
        (
            E(5, -32602, r"^\$\.secnods: "),
            E(6, -32602, r"^\$\.seconds: "),
            E(7, -32602, r"^\$\.spectrogram\.fftSize: "),
            E(8, -32602, r"^\$\.seconds: "),
        ),
    ),
    Case("23", (b"42", PING), (E(None, -32600), PONG)),
    Case("24", (b'{"jsonrpc":"2.0","id":1,"result":1}', b'{"jsonrpc":"2.0","id":1,"error":{}}', PING), (PONG,)),
    Case(
        "25",
        raw=BOM + request(1, "subtract", [2, 1]) + b"\r\n\r\n \r\n\n\n" + request(2, "subtract", [3, 1]),
        framing="line",
        expect=(R(1, 1), R(2, 2)),
    ),
    Case("26", (b'{"jsonrpc":"2.0","id":1,"method":"get_data","params":["\xff"]}', PING), (E(None, -32700), PONG)),
    Case("27", ('{"jsonrpc":"2.0","id":1,"method":"echo","params":["é💩"]}'.encode(),), (R(1, ["é💩"]),)),
    Case("28", (b"[" * 200_000, PING), (E(None, -32700), PONG), feeds=("whole",)),
    Case("29", (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":[NaN]}', PING), (E(None, -32700), PONG)),
    Case(
        "30",
        raw=header(PING, length(PING, b"content-length:"))
        + header(PING, length(PING), newline=b"\n")
        + header(PING, b"Content-Type: application/vscode-jsonrpc; charset=utf-8", length(PING)),
        framing="header",
        expect=(PONG, PONG, PONG),
    ),
    Case("31", raw=framed(PING, "header") * 2, framing="header", expect=(PONG, PONG)),
    Case("32", raw=framed(PING, "header") + b"\n" + framed(PING, "header"), framing="header", expect=(PONG, PONG)),
    *(
        Case("33", raw=header(PING, line), framing="header", expect=(E(None, -32700),), code=4, name=name)
        for name, line in (
            ("negative", b"Content-Length: -5"),
            ("no number", b"Content-Length: abc"),
            ("missing", b"Content-Type: x"),
        )
    ),
    Case(
        "34",
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":["%b"]}' % (b"x" * 65 * MIB), PING),
        (E(None, -32600), PONG),
        feeds=("whole",),
    ),
    # Beyond the numbered cases
    Case("undecided", raw=b"hello\n42\n" + framed(PING, "header"), framing="header",
         expect=(E(None, -32700), E(None, -32600), PONG)),
    Case("forced", raw=framed(PING, "line"), framing="line", expect=(PONG,), arguments=("--framing", "line")),
    Case("forced", raw=framed(PING, "header"), framing="header", expect=(PONG,), arguments=("--framing", "header"),
         name="header"),
    Case("big batch", (b"[" + b",".join([b"1"] * 1001) + b"]", PING), (E(None, -32600), PONG), feeds=("whole",)),
    Case("same id", one(1, "subtract", [2, 1]) * 3, (R(1, 1), R(1, 1), R(1, 1))),
    Case("empty array", one(1, "get_data", []), (R(1, ["hello", 5]),)),
    Case(
        "numbers",
        one(1, "bigNumber"),
        (R(1, {"big": str(2**60), **SMALL_NUMBERS}),),
    ),
    Case("long id", one(2**70, "bigNumber"), (R(2**70, {"big": str(2**60), **SMALL_NUMBERS}),)),
    Case("long id", one(2**70, "nope"), (E(2**70, -32601),), name="error"),
    Case("bug", one(1, "fail"), (E(1, -32603, "^(?!.*secret)"),)),
)  # fmt: skip


def runs() -> list[Any]:
    parameters = []
    for case in CASES:
        for framing in [case.framing] if case.framing else ["line", "header"]:
            for feed in case.feeds:
                label = "-".join(part for part in (case.numbers, case.name, framing, feed) if part)
                marks = [] if feed == "whole" and len(b"".join(case.send)) < MIB else [pytest.mark.slow]
                parameters.append(pytest.param(case, framing, feed, id=label, marks=marks))
    return parameters


@pytest.mark.parametrize(("case", "framing", "feed"), runs())
def test_case(case: Case, framing: str, feed: str) -> None:
    stream = case.raw or b"".join(framed(body, framing) for body in case.send)

    with Wire(*case.arguments, framing=framing) as wire:
        for chunk in chunks_of(stream, feed, seed=len(stream)):
            wire.write(chunk)
        wire.close_stdin()
        replies = wire.rest(60)
        code = wire.exit_code()

    assert_replies(replies, case.expect)
    assert code == case.code
    if case.expect and framing == "header":
        assert bytes(wire.raw).rpartition(b"\n")[0].endswith(b"\r")
    if framing == "line":
        assert b"Content-Length" not in wire.raw


def assert_replies(replies: list[Any], expected: tuple[Any, ...] | list[Any]) -> None:
    """The same replies in any order."""
    left = list(replies)
    for wanted in expected:
        match = next((reply for reply in left if fits(reply, wanted)), None)
        assert match is not None, f"{wanted} is not among {replies}"
        left.remove(match)
    assert not left, f"nobody asked for {left}"


def fits(reply: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return isinstance(reply, list) and len(reply) == len(wanted) and all_fit(reply, wanted)
    if "code" not in wanted:
        return bool(reply == wanted)
    return (
        isinstance(reply, dict)
        and set(reply) == {"jsonrpc", "id", "error"}
        and reply["id"] == wanted["id"]
        and reply["error"]["code"] == wanted["code"]
        and re.search(wanted["pattern"], reply["error"]["message"]) is not None
    )


def all_fit(replies: list[Any], wanted: list[Any]) -> bool:
    left = list(replies)
    for expectation in wanted:
        match = next((reply for reply in left if fits(reply, expectation)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


# Scripts: cases where time or the process matters

SCRIPTS: list[tuple[str, Callable[[Wire], None]]] = []


def script(numbers: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(function: Callable[[Wire], None]) -> Callable[[Wire], None]:
        SCRIPTS.append((numbers, function))
        return function

    return register


@script("27, split in time")
def code_point_in_two_writes(wire: Wire) -> None:
    stream = framed('{"jsonrpc":"2.0","id":1,"method":"echo","params":["é"]}'.encode(), wire.framing)
    middle = stream.index(b"\xc3") + 1

    wire.write(stream[:middle])
    silent = wire.nothing_comes(0.1)
    wire.write(stream[middle:])

    assert silent
    assert wire.next() == R(1, ["é"])


@script("35, running")
def cancel_running(wire: Wire) -> None:
    wire.ask(1, "sleep", {"seconds": 60, "workDoneToken": 1})
    assert wire.next()["params"]["value"]["kind"] == "begin"

    asked = time.monotonic()
    wire.tell("$/cancelRequest", {"id": 1})
    reply = wire.reply(1)

    assert fits(reply, E(1, -32800))
    assert time.monotonic() - asked < 2.0


@script("35, queued")
def cancel_queued(wire: Wire) -> None:
    wire.send(*(request(number, "sleep", {"seconds": 60}) for number in range(100)))
    wire.tell("$/cancelRequest", {"id": 99})

    reply = wire.next(2.0)

    assert fits(reply, E(99, -32800))


@script("36, unknown and finished")
def cancel_unknown_and_finished(wire: Wire) -> None:
    wire.tell("$/cancelRequest", {"id": "nobody"})
    wire.ask(1, "subtract", [2, 1])
    assert wire.next() == R(1, 1)
    wire.tell("$/cancelRequest", {"id": 1})
    wire.tell("$/cancelRequest", {})
    wire.tell("$/cancelRequest")
    wire.close_stdin()

    assert wire.rest() == []
    assert wire.exit_code() == 0


@script("37")
def progress_with_token_zero(wire: Wire) -> None:
    wire.ask(1, "sleep", {"seconds": 0.5, "workDoneToken": 0})
    wire.ask(2, "sleep", {"seconds": 0.5, "workDoneToken": ""})
    messages = wire.until(1)
    messages += wire.until(2) if not any(message.get("id") == 2 for message in messages) else []

    for token, id in ((0, 1), ("", 2)):
        about = [m for m in messages if m.get("id") == id or m.get("params", {}).get("token") == token]
        kinds = [m["params"]["value"]["kind"] for m in about[:-1]]
        assert kinds[0] == "begin"
        assert kinds[-1] == "end"
        assert set(kinds[1:-1]) == {"report"}
        assert len(kinds) <= 8  # ten reports a second
        assert about[-1] == R(id, 0.5)


@script("38")
def exit_alone(wire: Wire) -> None:
    wire.tell("exit")

    assert wire.rest() == []
    assert wire.exit_code() == 1


@script("39")
def shutdown_and_exit(wire: Wire) -> None:
    wire.ask(1, "shutdown")
    assert wire.next() == R(1, None)
    wire.tell("exit")

    assert wire.rest() == []
    assert wire.exit_code() == 0


@script("39, with work under way")
def shutdown_answers_everything(wire: Wire) -> None:
    wire.send(*(request(number, "sleep", {"seconds": 60}) for number in range(20)))
    wire.ask("last", "shutdown")
    wire.tell("exit")

    replies = wire.rest()

    assert_replies(replies, [R("last", None), *(E(number, -32800) for number in range(20))])
    assert replies[-1] == R("last", None)
    assert wire.exit_code() == 0


@script("40")
def welcome_only_once(wire: Wire) -> None:
    wire.ask(1, "initialize", {"protocolVersion": "1.0", "capabilities": {}, "clientInfo": {"name": "test"}})
    hello = wire.next()
    wire.ask(2, "initialize", {})
    again = wire.next()
    wire.ask(3, "shutdown")
    wire.ask(4, "get_data")
    after = [wire.next(), wire.next()]

    assert set(hello["result"]) == {"protocolVersion", "serverInfo", "capabilities", "limits"}
    assert fits(again, E(2, -32600))
    assert_replies(after, [R(3, None), E(4, -32600)])


@script("41")
def stdout_stays_clean(wire: Wire) -> None:
    wire.ask(1, "print", {"text": "noise"})
    wire.ask(2, "child", {"text": "more noise"})
    wire.tell("print")
    wire.close_stdin()

    replies = wire.rest()

    assert sorted(reply["id"] for reply in replies) == [1, 2]
    assert b"noise" not in wire.raw
    wire.process.wait()
    assert wire.exit_code() == 0


@script("42")
def client_that_never_reads(wire: Wire) -> None:
    process = subprocess.Popen(
        command("--test-methods"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None
    try:
        for wave in (range(4399), range(4399, 4400)):  # when the last one is taken, all before it are dealt with
            stdin.write(b"".join(framed(request(number, "bytes", {"count": 10_000}), wire.framing) for number in wave))
            stdin.flush()
            wait_until(lambda: unread_bytes(stdin.fileno()) == 0)
        resident = peak_memory(process.pid)
        stdin.close()
        bodies = re.findall(rb"\{.*\}", stdout.read())
    finally:
        process.kill()
        process.wait()
        stdout.close()

    replies = [json.loads(body.partition(b"Content-Length")[0]) for body in bodies]
    busy = [reply for reply in replies if reply.get("error", {}).get("code") == 1007]
    assert sorted(reply["id"] for reply in replies) == list(range(4400))
    assert len(busy) >= 4400 - 1024 - 300  # what left before the pipe was full freed its slot
    assert all(reply["error"]["data"]["retryable"] for reply in busy)
    assert resident < 400 * MIB


@script("43")
def stdout_closed(wire: Wire) -> None:
    process = subprocess.Popen(
        command("--test-methods"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(PING + b"\n")
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    code = process.wait(20)
    process.stdin.close()

    assert code == 3


@script("45")
def empty_stdin(wire: Wire) -> None:
    wire.close_stdin()

    assert wire.rest() == []
    assert wire.exit_code() == 0


@script("46")
def name_that_is_no_text(wire: Wire) -> None:
    folder = Path(os.environ["PYTEST_WIRE_FOLDER"]) / wire.framing
    folder.mkdir()
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.wav"))).write_bytes(b"")

    wire.ask(1, "folders/scan", {"folder": str(folder)})
    reply = wire.next()

    assert reply["result"]["files"][0]["path"] == f"file://{folder}/%FF%FE.wav"


@pytest.mark.parametrize("framing", ["line", "header"])
@pytest.mark.parametrize("play", [function for _, function in SCRIPTS], ids=[numbers for numbers, _ in SCRIPTS])
def test_script(play: Callable[[Wire], None], framing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_WIRE_FOLDER", str(tmp_path))

    with Wire(framing=framing) as wire:
        play(wire)


def unread_bytes(pipe: int) -> int:
    """What lies in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder)


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1]) * 1024
