"""A client for tests: a real server process, raw bytes in, parsed messages out.

It shares no code with rpc/ (tools/which_sidecar.py imports none): what both got wrong would pass unseen otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.which_sidecar import sidecar_command

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20.0
CLOSED = object()


def command(*arguments: str) -> list[str]:
    return sidecar_command(*arguments)


def framed(body: bytes, framing: str) -> bytes:
    return body + b"\n" if framing == "line" else b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def request(id: Any, method: str, params: Any = None) -> bytes:
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    return json.dumps(message if params is None else {**message, "params": params}).encode()


def notification(method: str, params: Any = None) -> bytes:
    message = {"jsonrpc": "2.0", "method": method}
    return json.dumps(message if params is None else {**message, "params": params}).encode()


def chunks_of(stream: bytes, feed: str, seed: int) -> Iterator[bytes]:
    """`stream` whole, byte by byte, or in random pieces."""
    if feed == "whole":
        yield stream
    elif feed == "bytes":
        yield from (stream[at : at + 1] for at in range(len(stream)))
    else:
        dice = random.Random(seed)
        while stream:
            size = dice.choice((1, 2, 3, 7, 20, 100))
            yield stream[:size]
            stream = stream[size:]


class Wire:
    """One server process. Everything it writes to stdout is read at once and kept in `raw`."""

    def __init__(self, *arguments: str, framing: str = "line", argv: Sequence[str] | None = None, **popen: Any) -> None:
        self.framing = framing
        self.raw = bytearray()
        self._messages: queue.Queue[Any] = queue.Queue()
        self.process = subprocess.Popen(
            list(argv) if argv else command("--test-methods", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=popen.pop("stderr", subprocess.PIPE),
            cwd=ROOT,
            bufsize=0,
            **popen,
        )
        self.errors = bytearray()
        self._threads = [threading.Thread(target=self._read, daemon=True)]
        if self.process.stderr is not None:
            self._threads.append(threading.Thread(target=self._read_errors, daemon=True))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def write(self, stream: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(stream)
        while view:
            view = view[self.process.stdin.write(view) :]

    def send(self, *bodies: bytes) -> None:
        self.write(b"".join(framed(body, self.framing) for body in bodies))

    def ask(self, id: Any, method: str, params: Any = None) -> None:
        self.send(request(id, method, params))

    def tell(self, method: str, params: Any = None) -> None:
        self.send(notification(method, params))

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def next(self, timeout: float = PATIENCE_SECONDS) -> Any:
        """The next message; CLOSED at the end of stdout."""
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no message came; stderr: {bytes(self.errors).decode(errors='replace')}") from None

    def reply(self, id: Any, timeout: float = PATIENCE_SECONDS) -> Any:
        """The reply to `id`; what comes before it is dropped."""
        return self.until(id, timeout)[-1]

    def until(self, id: Any, timeout: float = PATIENCE_SECONDS) -> list[Any]:
        """Everything up to the reply to `id`."""
        deadline = time.monotonic() + timeout
        messages = []
        while True:
            message = self.next(max(0.01, deadline - time.monotonic()))
            assert message is not CLOSED, f"the server left: {bytes(self.errors).decode(errors='replace')}"
            messages.append(message)
            if isinstance(message, dict) and "method" not in message and message["id"] == id:
                return messages

    def rest(self, timeout: float = PATIENCE_SECONDS) -> list[Any]:
        """Everything until the end of stdout."""
        messages = []
        while (message := self.next(timeout)) is not CLOSED:
            messages.append(message)
        return messages

    def nothing_comes(self, seconds: float) -> bool:
        try:
            self._messages.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def exit_code(self, timeout: float = PATIENCE_SECONDS) -> int:
        return self.process.wait(timeout)

    def _read(self) -> None:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        buffer = bytearray()
        while chunk := os.read(descriptor, 1 << 20):
            self.raw += chunk
            buffer += chunk
            self._cut(buffer)
        if buffer:
            self._messages.put({"left over": bytes(buffer)})
        self._messages.put(CLOSED)

    def _cut(self, buffer: bytearray) -> None:
        while buffer:
            if buffer[:1] == b"C":
                head, found, _ = bytes(buffer[:200]).partition(b"\r\n\r\n")
                if not found:
                    return
                length = int(head.removeprefix(b"Content-Length: "))
                start = len(head) + 4
                if len(buffer) < start + length:
                    return
                body, end = bytes(buffer[start : start + length]), start + length
            else:
                at = buffer.find(b"\n")
                if at < 0:
                    return
                body, end = bytes(buffer[:at]), at + 1
            del buffer[:end]
            self._messages.put(json.loads(body))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        while chunk := os.read(self.process.stderr.fileno(), 1 << 16):
            self.errors += chunk


def wait_until(condition: Callable[[], bool], timeout: float = PATIENCE_SECONDS) -> None:
    """Poll `condition` until it holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
