"""A bounded pool of daemon threads. Threads start when they are needed and stay.

What lives here: running functions on threads. What must not: what they do. (The standard library's executor
joins its threads when the interpreter ends; a handler that hangs would keep the process alive.)
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Pool:
    """Runs functions first come, first served, on at most `size` threads."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._threads = 0

    def submit(self, task: Callable[[], None]) -> None:
        """Run `task` when a thread is free. It must not raise."""
        with self._lock:
            grow = self._idle <= 0 and self._threads < self._size
            if grow:
                self._threads += 1
            else:
                self._idle -= 1
        self._tasks.put(task)
        if grow:
            threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()

    def _work(self) -> None:
        while True:
            task = self._tasks.get()
            task()
            del task  # or it would hold its request's memory until the next one comes
            with self._lock:
                self._idle += 1
