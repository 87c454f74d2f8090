"""Methods for tests of the transport, offered with `--test-methods` only.

What lives here: subtract, update, sum, get_data of the JSON-RPC 2.0 specification, and methods that are slow,
busy, noisy or broken on purpose. What must not: anything that a user needs.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from rpc import child as children
from rpc.call import Call, Progress
from rpc.methods import Method, Params

if TYPE_CHECKING:
    from rpc.channel import Registry

_HERE = __name__
_STEP_SECONDS = 0.02


class SubtractObject(Params, frozen=True):
    """subtract: minuend - subtrahend."""

    minuend: float
    subtrahend: float


class SleepParams(Params, frozen=True):
    """sleep: wait `seconds`, polling the token; with `deaf`, not polling it."""

    seconds: float
    deaf: bool = False


class BusyParams(Params, frozen=True):
    """busy: compute in pure Python for `seconds`, polling the token."""

    seconds: float


class PrintParams(Params, frozen=True):
    """print: write `text` to stdout by every way there is."""

    text: str = "noise"


class ChildParams(Params, frozen=True):
    """child: a child that echoes `text` to its stdout; with `seconds`, one that then sleeps so long."""

    text: str = "noise"
    seconds: float = 0.0


class RowsParams(Params, frozen=True):
    """rows: the numbers below `count`, streamed `chunk` at a time where the client wants that."""

    count: int
    chunk: int = 100


class BytesParams(Params, frozen=True):
    """bytes: a text of `count` characters."""

    count: int


SubtractParams = SubtractObject | tuple[float, float]
SumParams = tuple[float, ...]
UpdateParams = tuple[int, ...] | dict[str, int]
AnyParams = Raw


def subtract(params: SubtractObject | tuple[float, float], _call: Call) -> float:
    """The specification's first example."""
    if isinstance(params, SubtractObject):
        return _whole(params.minuend - params.subtrahend)
    return _whole(params[0] - params[1])


def add_up(params: tuple[float, ...], _call: Call) -> float:
    """The specification's `sum`."""
    return _whole(sum(params))


def update(_params: Any, _call: Call) -> None:
    """The specification's notification."""


def get_data(_params: Any, _call: Call) -> list[str | int]:
    """The specification's method without params."""
    return ["hello", 5]


def sleep(params: SleepParams, call: Call) -> float:
    """Wait, telling how far it is."""
    start = time.monotonic()
    call.begin(Progress(title="sleeping", total=params.seconds, unit="seconds"))
    while (slept := time.monotonic() - start) < params.seconds:
        remaining = params.seconds - slept
        if params.deaf:
            time.sleep(remaining)
            continue
        call.token.wait(min(_STEP_SECONDS, remaining))
        call.token.raise_if_cancelled()
        call.report(Progress(done=round(slept, 3), total=params.seconds, percentage=100 * slept / params.seconds))
    return params.seconds


def echo(params: Raw, _call: Call) -> Raw:
    """What came, unread; null for nothing."""
    return params


def busy(params: BusyParams, call: Call) -> int:
    """Hold the interpreter as pure Python does."""
    end = time.monotonic() + params.seconds
    rounds = 0
    while time.monotonic() < end:
        rounds += sum(1 for _ in range(1000))
        call.token.raise_if_cancelled()
    return rounds


def print_noise(params: PrintParams, _call: Call) -> None:
    """What libraries do, and must not reach the conversation."""
    print(params.text)  # noqa: T201 - the point of it
    sys.__stdout__ and sys.__stdout__.write(params.text + "\n")
    os.write(1, params.text.encode() + b"\n")
    library = ctypes.CDLL(None)
    library.puts(params.text.encode())
    library.fflush(None)


def child(params: ChildParams, call: Call) -> int:
    """A child with our stdout; its process id."""
    subprocess.run(_chatty(params.text, 0), check=True)
    process = children.spawn(_chatty(params.text, params.seconds), stdin=children.DEVNULL, stdout=None)
    call.token.on_cancel(lambda: children.kill(process))
    call.begin(Progress(title="child", done=process.pid))
    process.wait()
    call.token.raise_if_cancelled()
    return process.pid


def _chatty(text: str, seconds: float) -> list[str]:
    """A program that prints `text` and stays for `seconds`. A frozen sidecar is no Python, but has a shell."""
    if getattr(sys, "frozen", False):
        return ["/bin/sh", "-c", 'echo "$1"; exec sleep "$2"', "sh", text, str(seconds)]
    return [sys.executable, "-c", f"import time; print({text!r}, flush=True); time.sleep({seconds})"]


def rows(params: RowsParams, call: Call) -> list[int]:
    """The rows that have not been streamed."""
    numbers = list(range(params.count))
    if not call.wants_partial:
        return numbers
    for start in range(0, params.count, params.chunk):
        call.token.raise_if_cancelled()
        call.partial(numbers[start : start + params.chunk])
    return []


def many_bytes(params: BytesParams, _call: Call) -> str:
    """A large result."""
    return "x" * params.count


def fail(_params: Any, _call: Call) -> None:
    """A bug of ours."""
    raise ZeroDivisionError("secret detail")


def big_number(_params: Any, _call: Call) -> dict[str, Any]:
    """What JSON and JavaScript cannot hold."""
    return {"big": 2**60, "safe": 2**53, "nan": float("nan"), "infinity": float("inf"), "name": "/tmp/\udcff.wav"}


def _whole(number: float) -> float:
    return int(number) if number == int(number) else number


_METHODS: dict[str, tuple[str, Any]] = {
    "subtract": ("SubtractParams", subtract),
    "sum": ("SumParams", add_up),
    "update": ("UpdateParams", update),
    "get_data": ("NoParams", get_data),
    "sleep": ("SleepParams", sleep),
    "echo": ("AnyParams", echo),
    "busy": ("BusyParams", busy),
    "print": ("PrintParams", print_noise),
    "child": ("ChildParams", child),
    "rows": ("RowsParams", rows),
    "bytes": ("BytesParams", many_bytes),
    "fail": ("NoParams", fail),
    "bigNumber": ("NoParams", big_number),
}


def registry() -> Registry:
    """The test methods, to be merged with the real ones."""
    return {
        name: (Method(name, _HERE, params, "None"), lambda handler=handler: handler)  # type: ignore[misc]
        for name, (params, handler) in _METHODS.items()
    }
