"""Log lines to stderr that never make the program wait.

What lives here: the handler, its thread, its format. What must not: what is logged, or configuration on import.

Nobody may be reading our stderr: when its pipe is full, lines are dropped, and the first one that gets
through again says how many.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from rpc.redact import redact_line

if TYPE_CHECKING:
    from pathlib import Path

_MAX_LINES = 2000
_MAX_LINE_CHARACTERS = 8192
_context = threading.local()


def set_request(identifier: object = None, method: str = "") -> None:
    """Name the request that this thread works for; without arguments, none."""
    _context.request = (identifier, method)


class Formatter(logging.Formatter):
    """`2026-11-23T02:06:05Z INFO [7 audio/clip] sidecar.audio: ...`, in UTC."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s [%(request)s] %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "request"):
            identifier, method = getattr(_context, "request", (None, ""))
            record.request = f"{identifier} {method}" if method else "-"
        text = redact_line(super().format(record))
        if len(text) > _MAX_LINE_CHARACTERS:
            text = f"{text[:_MAX_LINE_CHARACTERS]}... ({len(text)} characters)"
        return text


class DroppingHandler(logging.Handler):
    """Hands lines to a thread that writes them to a descriptor; drops what does not fit its queue."""

    def __init__(self, descriptor: int = 2) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._writing = False
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self.setFormatter(Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        except Exception:  # noqa: BLE001 - a log call that is wrong must not break what it reports on
            self.handleError(record)
            return
        with self._changed:
            if len(self._lines) >= _MAX_LINES:
                self._dropped += 1
                return
            self._lines.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float = 0.5) -> None:
        """Wait until what was logged has been written, at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while (self._lines or self._writing) and time.monotonic() < deadline:
                self._changed.wait(0.05)

    def _work(self) -> None:
        while True:
            lines = self._take()
            try:
                _write_all(self._descriptor, lines)
            except OSError:
                return
            finally:
                with self._changed:
                    self._writing = False
                    self._changed.notify_all()

    def _take(self) -> bytes:
        with self._changed:
            while not self._lines:
                self._changed.wait()
            self._writing = True
            lines = []
            if self._dropped:
                lines.append(b"(%d log lines were dropped: nobody read them)\n" % self._dropped)
                self._dropped = 0
            lines += [self._lines.popleft() for _ in range(min(len(self._lines), 50))]
            return b"".join(lines)


def configure(level: str = "info", log_file: Path | None = None) -> None:
    """Send all logging to stderr, and to `log_file` (10 MB, five older ones kept) where one is named."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    root.addHandler(DroppingHandler())
    logging.raiseExceptions = False
    if log_file is not None:
        from logging.handlers import RotatingFileHandler

        log_file.parent.mkdir(parents=True, exist_ok=True)
        rotating = RotatingFileHandler(
            log_file, maxBytes=10 * 2**20, backupCount=5, encoding="utf-8", errors="backslashreplace"
        )
        rotating.setFormatter(Formatter())
        root.addHandler(rotating)


def flush() -> None:
    """Let everything that was logged leave, within half a second."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    if sys.stderr is not None:
        sys.stderr.flush()


def _write_all(descriptor: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(descriptor, view) :]
