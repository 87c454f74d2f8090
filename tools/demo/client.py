"""A client of the sidecar in one screenful: one JSON message a line, one request at a time.

It is also what the README points to for those who write a client of their own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from rpc.call import Progress
from rpc.errors import ErrorObject
from rpc.methods import Params

Result = TypeVar("Result")
ProgressCallback = Callable[[Progress], None]


class Refused(Exception):
    """The sidecar answered with an error."""

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(error.message)
        self.error = error


class _Outgoing(msgspec.Struct, omit_defaults=True):
    method: str
    params: Any = None
    id: int | None = None
    jsonrpc: str = msgspec.field(default_factory=lambda: "2.0")


class _ProgressParams(msgspec.Struct):
    token: int | str
    value: Progress


class _Incoming(msgspec.Struct):
    id: int | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: ErrorObject | None = None
    params: msgspec.Raw = msgspec.Raw()
    method: str | None = None


class SidecarClient:
    """Starts a sidecar and ends it again; use it as a context manager."""

    def __init__(self, command: Sequence[str | Path], *, stderr: Path | None = None, cwd: Path | None = None) -> None:
        log = subprocess.DEVNULL if stderr is None else stderr.open("ab")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=cwd)
        self._last_id = 0

    def __enter__(self) -> SidecarClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10 if kind is None else 3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def call(
        self, method: str, params: Params, result: type[Result], on_progress: ProgressCallback | None = None
    ) -> Result:
        """Send one request and wait for its answer; progress is told on the way.

        Raises
        ------
        Refused
            The answer is an error.
        EOFError
            The sidecar is gone.
        """
        return msgspec.json.decode(self.call_raw(method, msgspec.to_builtins(params), on_progress), type=result)

    def call_raw(
        self, method: str, params: dict[str, Any] | None, on_progress: ProgressCallback | None = None
    ) -> msgspec.Raw:
        """As `call`, with params and result as they stand on the wire."""
        self._last_id += 1
        if on_progress is not None:
            params = {**(params or {}), "workDoneToken": self._last_id}
        self._send(_Outgoing(method, params, self._last_id))
        while True:
            message = self._receive()
            if message.method == "$/progress":
                if on_progress is not None:
                    on_progress(msgspec.json.decode(message.params, type=_ProgressParams).value)
            elif message.method is None and message.error is not None:
                raise Refused(message.error)
            elif message.method is None:
                return message.result

    def cancel(self) -> None:
        """Cancel the request under way; call it from its progress callback."""
        self._send(_Outgoing("$/cancelRequest", {"id": self._last_id}))

    @property
    def pid(self) -> int:
        """The sidecar's process id."""
        return self._process.pid

    def _send(self, message: _Outgoing) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(message) + b"\n")
        self._process.stdin.flush()

    def _receive(self) -> _Incoming:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EOFError(f"The sidecar ended with code {self._process.wait()}.")
        return msgspec.json.decode(line, type=_Incoming)
