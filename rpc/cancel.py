"""The token that loops poll to learn that nobody waits for them any more.

What lives here: one thread-safe flag with callbacks. What must not: processes, pipes, or knowledge of
requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from rpc.errors import RequestCancelled


class CancelToken:
    """A flag that goes up once. Poll it inside loops; register callbacks to wake what sleeps."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the flag is up."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Put the flag up and run the callbacks, each exactly once. Idempotent."""
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def raise_if_cancelled(self) -> None:
        """Leave the loop by RequestCancelled when the flag is up."""
        if self._event.is_set():
            raise RequestCancelled

    def wait(self, timeout: float) -> bool:
        """Sleep up to `timeout` seconds; True as soon as the flag is up."""
        return self._event.wait(timeout)

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Run `callback` when the flag goes up; at once, on this thread, when it already is."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()
