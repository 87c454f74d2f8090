"""What waits to be written, and the thread that writes it.

What lives here: one queue of messages, its thread, and how far behind the reader of our output is. What must
not: what the messages mean.

Putting never blocks. Small messages leave together in one write; large ones are written from where they lie.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

from rpc.framing import Framing, encode_frame

_JOIN_BYTES = 64 * 1024


class Outbox:
    """The writer thread of one channel.

    `on_written(slots)` is called after messages have left, `on_broken()` once when the other side has closed
    its end; both on the writer thread.
    """

    def __init__(
        self, descriptor: int, *, on_written: Callable[[int], None], on_broken: Callable[[], None], limit: int
    ) -> None:
        self._descriptor = descriptor
        self._on_written = on_written
        self._on_broken = on_broken
        self._limit = limit
        self._queue: deque[tuple[tuple[bytes, ...], int]] = deque()
        self._unsent = 0
        self._broken = False
        self._changed = threading.Condition(threading.Lock())
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def unsent(self) -> int:
        """Bytes put and not yet taken by the system."""
        return self._unsent

    @property
    def broken(self) -> bool:
        """Whether nobody can read our output any more."""
        return self._broken

    def put(self, body: bytes, framing: Framing, slots: int) -> None:
        """Queue a message. Never blocks."""
        pieces = encode_frame(body, framing)
        with self._changed:
            if self._broken:
                return
            self._queue.append((pieces, slots))
            self._unsent += sum(map(len, pieces))
            self._changed.notify_all()

    def wait_for_room(self, give_up: Callable[[], bool] = lambda: False) -> None:
        """Block while more than the limit is unsent."""
        if self._unsent <= self._limit:
            return
        with self._changed:
            while self._unsent > self._limit and not self._broken and not give_up():
                self._changed.wait(0.1)

    def flush(self, timeout: float) -> bool:
        """Wait until everything has left, at most `timeout` seconds. True when it has."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._unsent and not self._broken:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                self._changed.wait(remaining)
        return not self._broken

    def _work(self) -> None:
        while True:
            pieces, slots = self._take()
            try:
                for piece in pieces:
                    self._write(piece)
            except OSError:
                self._break()
                return
            if slots:
                self._on_written(slots)

    def _take(self) -> tuple[list[bytes], int]:
        """Everything small that waits, joined, or one large message."""
        with self._changed:
            while not self._queue:
                self._changed.wait()
            chosen: list[bytes] = []
            slots = size = 0
            while self._queue and size < _JOIN_BYTES:
                pieces, count = self._queue[0]
                length = sum(map(len, pieces))
                if chosen and length > _JOIN_BYTES:
                    break
                self._queue.popleft()
                chosen += pieces
                slots += count
                size += length
        return (chosen if size > 2 * _JOIN_BYTES else [b"".join(chosen)]), slots

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            try:
                count = os.write(self._descriptor, view[: 1 << 20])
            except BlockingIOError:  # somebody else made the shared description non-blocking
                select.select([], [self._descriptor], [], 1.0)
                continue
            view = view[count:]
            with self._changed:
                self._unsent -= count
                self._changed.notify_all()

    def _break(self) -> None:
        with self._changed:
            self._broken = True
            self._queue.clear()
            self._unsent = 0
            self._changed.notify_all()
        self._on_broken()
