"""The branches of other systems, as far as they can be tested here. NOTE: ctypes' Windows half is a fake."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from rpc import atonce, child, containment, outbox, windows
from rpc.liveness import ProcessWatch, reader_gone


def unsupported(*_: object) -> int:
    raise OSError(errno.EOPNOTSUPP, "not for pipes")


class FakeKernel:
    """Remembers calls; answers as kernel32 would for a process that lives, one that has ended, and a stranger's."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.error = 0

    def __getattr__(self, name: str) -> Any:
        function = FakeFunction(self, name)
        setattr(self, name, function)
        return function


class FakeFunction:
    def __init__(self, kernel: FakeKernel, name: str) -> None:
        self.kernel, self.name = kernel, name
        self.restype: Any = None
        self.argtypes: Any = None

    def __call__(self, *arguments: Any) -> int:
        self.kernel.calls.append((self.name, arguments))
        if self.name == "OpenProcess":
            pid = arguments[2]
            self.kernel.error = {3: 5, 4: 87}.get(pid, 0)
            return pid if pid in (1, 2) else 0
        if self.name == "WaitForSingleObject":
            return 0x102 if arguments[0] == 1 else 0
        return 7


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    kernel = FakeKernel()
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: kernel, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: kernel.error, raising=False)
    return kernel


def test_windows_structs_have_the_sizes_of_the_system():
    assert ctypes.sizeof(windows._BasicLimits) == 64
    assert ctypes.sizeof(windows._ExtendedLimits) == 144
    assert windows._BasicLimits.LimitFlags.offset == 16
    assert windows._ExtendedLimits.ProcessMemoryLimit.offset == 112


def test_windows_children_are_bound_by_a_job_that_ends_with_us(kernel, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")

    containment.contain()
    containment.end_own_group()

    names = [name for name, _ in kernel.calls]
    assert names == ["CreateJobObjectW", "SetInformationJobObject", "GetCurrentProcess", "AssignProcessToJobObject"]
    assert "CloseHandle" not in names  # the handle lives as long as we do


@pytest.mark.parametrize(("pid", "lives"), [(1, True), (2, False), (3, True), (4, False)])
def test_windows_processes_are_asked_for_and_never_signalled(kernel, monkeypatch, pid, lives):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("os.kill(pid, 0) kills on Windows"))

    assert ProcessWatch(pid).alive() == lives


def test_macos_processes_are_asked_for_by_signal_0(monkeypatch):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    monkeypatch.setattr(sys, "platform", "darwin")
    watch = ProcessWatch(process.pid)

    lives = watch.alive()
    process.kill()
    process.wait()

    assert lives
    assert not watch.alive()


def test_macos_children_are_spawned_without_prctl(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")

    assert child._die_with_parent() is None
    assert child.run([sys.executable, "-c", "print(1)"]).stdout == b"1\n"


def test_without_poll_nobody_asks_whether_the_reader_is_gone(monkeypatch):
    monkeypatch.delattr("select.poll")

    assert not reader_gone(1)
    assert atonce.at_once_writer(1) is None


@pytest.mark.parametrize("way", ["as here", "an older kernel", "poll", "the writer thread", "socket"])
def test_output_leaves_in_order_whatever_writes_it(monkeypatch, way):
    reader, writer = os.pipe()
    if way == "an older kernel":
        monkeypatch.setattr(os, "pwritev", unsupported, raising=False)
    elif way == "poll":
        monkeypatch.delattr(os, "RWF_NOWAIT", raising=False)
    elif way == "the writer thread":
        monkeypatch.setattr(outbox, "at_once_writer", lambda _: None)
    elif way == "socket":
        reader, writer = (end.detach() for end in socket.socketpair())
    freed: list[int] = []
    box = outbox.Outbox(writer, on_written=freed.append, on_broken=lambda: None, limit=1000)
    box.start()
    expected = b""
    for number in range(200):
        body = b"%d " % number * (1 + 977 * (number % 7))
        expected += body + b"\n"
        box.put([(body, 1)], "line")
        box.push()

    written = bytearray()
    while len(written) < len(expected):
        written += os.read(reader, 1 << 16)
    flushed = box.flush(10)

    assert bytes(written) == expected
    assert flushed
    assert sum(freed) == 200
    os.close(reader)


def test_a_reader_that_goes_breaks_the_output_once():
    reader, writer = os.pipe()
    broken: list[bool] = []
    box = outbox.Outbox(writer, on_written=lambda _: None, on_broken=lambda: broken.append(True), limit=1000)
    box.start()
    os.close(reader)

    for _ in range(3):
        box.put([(b"x" * 100_000, 1)], "header")
        box.push()
        box.flush(5)

    assert broken == [True]
    assert box.unsent == 0
    os.close(writer)
