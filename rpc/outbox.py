"""What waits to be written, and the thread that writes what cannot leave at once.

What lives here: one queue of messages, its thread, and how far behind the reader of our output is. What must
not: what the messages mean.

Putting never blocks. `push` lets small messages leave on the calling thread where the system takes them without
waiting; everything else is the writer thread's.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from rpc.atonce import Piece, at_once_writer
from rpc.framing import HEADER, Framing, frame_edges

_JOIN_BYTES = 64 * 1024
_COPY_BYTES = 16 * 1024
_AT_ONCE_BYTES = 4 << 20
_WRITE_BYTES = 1 << 20


class Outbox:
    """The output of one channel.

    `on_written(slots)` is called after messages have left, on the thread that wrote them; `on_broken()` once when
    the other side has closed its end.
    """

    def __init__(
        self, descriptor: int, *, on_written: Callable[[int], None], on_broken: Callable[[], None], limit: int
    ) -> None:
        self._descriptor = descriptor
        self._on_written = on_written
        self._on_broken = on_broken
        self._limit = limit
        self._queue: deque[tuple[Piece, int]] = deque()
        self.unsent = 0
        """Bytes put and not yet taken by the system."""
        self._broken = False
        self._writing = False
        self._waiters = 0
        self._lock = threading.Lock()
        self._todo = threading.Condition(self._lock)  # the writer thread waits here
        self._left = threading.Condition(self._lock)  # whoever waits for room waits here
        self._at_once = at_once_writer(descriptor)
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, messages: Iterable[tuple[bytes, int]], framing: Framing) -> None:
        """Queue messages with their slots, to leave with the next `push`. Never blocks."""
        with self._lock:
            if self._broken:
                return
            small: list[bytes] = []
            owed = 0
            lines = framing == "line"
            for body, slots in messages:
                owed += slots
                if len(body) < _COPY_BYTES:
                    small += (body, b"\n") if lines else (HEADER % len(body), body)
                    continue
                before, after = frame_edges(body, framing)
                self._enqueue(b"".join((*small, before)), 0)
                self._enqueue(body, 0 if after else owed)
                small, owed = [after], owed if after else 0
            self._enqueue(b"".join(small), owed)

    def _enqueue(self, piece: bytes, slots: int) -> None:
        if piece:
            self._queue.append((piece, slots))
            self.unsent += len(piece)

    def push(self) -> None:
        """Let everything leave: here where that takes no waiting, else on the writer thread. Never blocks."""
        if not self._queue:
            return
        with self._lock:
            if self._writing or not self._queue:
                return
            if self._at_once is None or self.unsent > _AT_ONCE_BYTES:
                self._todo.notify()
                return
            self._writing = True
            pieces, slots = self._take()
        self._write_at_once(pieces, slots)

    def wait_for_room(self, give_up: Callable[[], bool] = lambda: False) -> None:
        """Block while more than the limit is unsent."""
        if self.unsent <= self._limit:
            return
        self.push()
        with self._lock:
            self._waiters += 1
            while self.unsent > self._limit and not self._broken and not give_up():
                self._left.wait(0.1)
            self._waiters -= 1

    def flush(self, timeout: float) -> bool:
        """Wait until everything has left, at most `timeout` seconds. True when it has."""
        deadline = time.monotonic() + timeout
        self.push()
        with self._lock:
            self._waiters += 1
            while self.unsent and not self._broken and (remaining := deadline - time.monotonic()) > 0:
                self._left.wait(remaining)
            self._waiters -= 1
            return not self.unsent and not self._broken

    # On any thread

    def _write_at_once(self, pieces: list[Piece], slots: int) -> None:
        """Write while the system takes it without waiting; what is left is the writer thread's."""
        try:
            sent = self._at_once(pieces) if self._at_once is not None else 0
        except OSError:
            self._break()
            return
        self._give_back(after(pieces, sent), sent, slots)

    def _give_back(self, rest: list[Piece], sent: int, slots: int) -> None:
        """End a turn of writing: `rest` and its slots go back to the front."""
        with self._lock:
            if rest:
                self._queue.appendleft((rest.pop(), slots))
                self._queue.extendleft((piece, 0) for piece in reversed(rest))
                slots = 0
            self.unsent -= sent
            self._writing = False
            if self._queue:
                self._todo.notify()
            if self._waiters:
                self._left.notify_all()
        if slots:
            self._on_written(slots)

    def _take(self) -> tuple[list[Piece], int]:
        """What leaves next: everything small that waits, joined, and a large piece that follows it.

        By whoever is writing, with the lock held.
        """
        if len(self._queue) == 1:
            piece, slots = self._queue.popleft()
            return [piece], slots
        small: list[Piece] = []
        slots = size = 0
        while self._queue and size < _JOIN_BYTES:
            piece, count = self._queue.popleft()
            slots += count
            if len(piece) > _COPY_BYTES:
                return ([b"".join(small), piece] if small else [piece]), slots
            small.append(piece)
            size += len(piece)
        return (small if len(small) == 1 else [b"".join(small)]), slots

    # The writer thread

    def _work(self) -> None:
        while True:
            with self._lock:
                while self._writing or not self._queue:
                    self._todo.wait()
                self._writing = True
                pieces, slots = self._take()
            try:
                for piece in pieces:
                    self._write(piece)
            except OSError:
                self._break()
                return
            self._give_back([], 0, slots)

    def _write(self, piece: Piece) -> None:
        view = memoryview(piece)
        while view:
            try:
                count = os.write(self._descriptor, view[:_WRITE_BYTES])
            except BlockingIOError:  # somebody else made the shared description non-blocking
                select.select([], [self._descriptor], [], 1.0)
                continue
            view = view[count:]
            with self._lock:
                self.unsent -= count
                if self._waiters:
                    self._left.notify_all()

    def _break(self) -> None:
        with self._lock:
            self._broken = True
            self._queue.clear()
            self.unsent = 0
            self._left.notify_all()
        self._on_broken()


def after(pieces: Sequence[Piece], sent: int) -> list[Piece]:
    """The pieces without their first `sent` bytes, uncopied."""
    rest: list[Piece] = []
    for piece in pieces:
        if sent < len(piece):
            rest.append(memoryview(piece)[sent:] if sent else piece)
        sent = max(0, sent - len(piece))
    return rest
