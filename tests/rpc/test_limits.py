"""Nobody can wedge the server or blow it up: memory and time where a client, or whoever reads the log, misbehaves."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.rpc.wire import PATIENCE_SECONDS, ROOT, Wire, command, framed, notification, request, wait_until

MIB = 2**20
ALLOWED_BYTES = 400 * MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def memory(pid: int, field: str = "VmHWM") -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def idle_memory(wire: Wire) -> int:
    wire.ask("idle", "get_data")
    wire.reply("idle")
    return memory(wire.process.pid, "VmRSS")


def unread_bytes(pipe: int) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder)


class Deaf:
    """A server whose client does not read, unless told to."""

    def __init__(self, *, stderr: int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            command("--test-methods"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.send(request("idle", "get_data"))
        self.stdout.readline()
        self.idle = memory(self.process.pid, "VmRSS")

    def __enter__(self) -> Deaf:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def send(self, *bodies: bytes) -> None:
        self.stdin.write(b"".join(framed(body, "line") for body in bodies))
        self.stdin.flush()

    def all_taken(self) -> None:
        wait_until(lambda: unread_bytes(self.stdin.fileno()) == 0, 60)

    @property
    def growth(self) -> int:
        return memory(self.process.pid) - self.idle


JUNK = {
    "numbers": b"[" + b"1," * (32 * MIB - 2) + b"1]",
    "objects": b"[" + b"{}," * (21 * MIB) + b"{}]",
    "one deep heap": b"[[" + b"[]," * (21 * MIB) + b"[]]]",
    "an id": b'{"jsonrpc":"2.0","method":"get_data","id":[' + b"[]," * (21 * MIB) + b"[]]}",
    "params": b'{"jsonrpc":"2.0","id":1,"method":"sleep","params":{"seconds":[' + b"[]," * (21 * MIB) + b"[]]}}",
    "an unclosed batch": b"[" + b"{}," * (21 * MIB),
    "many keys": b"{" + b",".join(b'"%d":1' % n for n in range(5_000_000)) + b"}",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", JUNK)
def test_64_mib_of_junk(kind: str) -> None:
    """A decoder that builds what it reads would need gigabytes."""
    with Wire() as wire:
        idle = idle_memory(wire)
        wire.write(JUNK[kind] + b"\n")
        wire.ask("after", "get_data")
        replies = [wire.next(60), wire.next(60)]
        growth = memory(wire.process.pid) - idle

    refused = next(reply for reply in replies if not isinstance(reply, dict) or reply["id"] != "after")
    assert "error" in (refused if isinstance(refused, dict) else refused[0])
    assert growth < ALLOWED_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("text", [b"x" * (63 * MIB), "é".encode() * (31 * MIB), b"x" * (62 * MIB) + "💩".encode()])
def test_64_mib_there_and_back(text: bytes) -> None:
    with Wire(framing="header") as wire:
        idle = idle_memory(wire)
        wire.send(b'{"jsonrpc":"2.0","id":1,"method":"echo","params":["%b"]}' % text)
        reply = wire.reply(1, 60)
        growth = memory(wire.process.pid) - idle

    assert reply["result"] == [text.decode()]
    assert growth < ALLOWED_BYTES


@pytest.mark.slow
def test_100_000_notifications() -> None:
    with Wire(framing="header") as wire:
        idle = idle_memory(wire)
        stream = framed(notification("update", [1, 2]), "header") * 100_000
        start = time.monotonic()
        wire.write(stream)
        wire.ask(1, "get_data")
        wire.reply(1, 60)
        elapsed = time.monotonic() - start
        growth = memory(wire.process.pid) - idle

    assert elapsed < 20  # the benchmark tells how fast it is
    assert growth < ALLOWED_BYTES


@pytest.mark.slow
def test_a_client_that_never_reads_large_results() -> None:
    with Deaf() as server:
        server.send(*(request(number, "bytes", {"count": 16 * MIB}) for number in range(100)))
        server.all_taken()
        time.sleep(2)  # whatever is going to grow has time to grow
        growth = server.growth

    assert growth < ALLOWED_BYTES


def test_a_client_that_never_reads_can_still_say_goodbye() -> None:
    with Deaf() as server:
        server.send(*(request(number, "bytes", {"count": 100_000}) for number in range(300)))
        server.send(request("long", "sleep", {"seconds": 600}))
        server.send(notification("exit"))

        assert server.process.wait(PATIENCE_SECONDS) == 1


def test_a_client_that_never_reads_can_still_cancel() -> None:
    """The cancel shows in that the memory of the replies that nobody wants is never made."""
    with Deaf() as server:
        server.send(request("clog", "bytes", {"count": 4 * MIB}))
        server.send(*(request(number, "sleep", {"seconds": 600}) for number in range(8)))
        server.send(request("queued", "bytes", {"count": 300 * MIB}))
        server.send(notification("$/cancelRequest", {"id": "queued"}))
        server.send(*(notification("$/cancelRequest", {"id": number}) for number in range(8)))
        server.all_taken()
        replies = {reply["id"]: reply for reply in (json.loads(server.stdout.readline()) for _ in range(10))}

    assert len(replies.pop("clog")["result"]) == 4 * MIB
    assert {reply["error"]["code"] for reply in replies.values()} == {-32800}


@pytest.mark.slow
def test_a_client_that_reads_a_byte_a_second() -> None:
    with Deaf() as server:
        server.send(*(request(number, "bytes", {"count": 50_000}) for number in range(3000)))
        for _ in range(3):
            os.read(server.stdout.fileno(), 1)
            time.sleep(1)
        server.all_taken()
        growth = server.growth
        server.send(notification("exit"))
        code = server.process.wait(PATIENCE_SECONDS)

    assert growth < ALLOWED_BYTES
    assert code == 1


def test_a_slow_reader_of_the_log_delays_nobody() -> None:
    """Each failure logs a traceback: far more than a pipe and the queue of the logger hold."""
    with Deaf(stderr=subprocess.PIPE) as server:
        count = 4000
        for number in range(count):
            server.send(request(number, "fail"))
            server.stdout.readline()
        errors = server.process.stderr
        assert errors is not None
        log = bytearray()
        while b"were dropped" not in log:
            log += os.read(errors.fileno(), 1 << 16)
            server.send(request("again", "fail"))  # a line is needed to carry the news
            server.stdout.readline()

    dropped = re.search(rb"\((\d+) log lines were dropped", bytes(log))
    assert dropped is not None
    assert int(dropped[1]) > 1000


def test_a_flood_of_progress_is_ten_a_second() -> None:
    with Wire() as wire:
        wire.ask(1, "sleep", {"seconds": 1.0, "workDoneToken": "t"})
        messages = wire.until(1)

    assert 5 <= len(messages) <= 14


def test_health_is_told_while_every_slot_is_taken() -> None:
    with Wire() as wire:
        wire.send(*(request(number, "sleep", {"seconds": 600, "deaf": True}) for number in range(20)))

        wire.ask("how are you", "health")

        assert wire.reply("how are you")["result"]["status"] == "ok"
