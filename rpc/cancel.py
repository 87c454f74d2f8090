"""The token that loops poll to learn that nobody waits for them any more.

What lives here: one thread-safe flag with callbacks. What must not: processes, pipes, or knowledge of
requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from rpc.errors import RequestCancelled

_lock = threading.Lock()  # one for all tokens: most live and die without ever needing it


class CancelToken(msgspec.Struct, eq=False):
    """A flag that goes up once. Poll it inside loops; register callbacks to wake what sleeps."""

    _cancelled: bool = False
    _event: threading.Event | None = None
    _callbacks: list[Callable[[], None]] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the flag is up."""
        return self._cancelled

    def cancel(self) -> None:
        """Put the flag up and run the callbacks, each exactly once. Idempotent."""
        with _lock:
            self._cancelled = True
            callbacks, self._callbacks = self._callbacks or [], None
            if self._event is not None:
                self._event.set()
        for callback in callbacks:
            callback()

    def raise_if_cancelled(self) -> None:
        """Leave the loop by RequestCancelled when the flag is up."""
        if self._cancelled:
            raise RequestCancelled

    def wait(self, timeout: float) -> bool:
        """Sleep up to `timeout` seconds; True as soon as the flag is up."""
        with _lock:
            if self._event is None:
                self._event = threading.Event()
                if self._cancelled:
                    self._event.set()
            event = self._event
        return event.wait(timeout)

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Run `callback` when the flag goes up; at once, on this thread, when it already is. It must not block."""
        with _lock:
            if not self._cancelled:
                self._callbacks = [*(self._callbacks or ()), callback]
                return
        callback()
