"""The progress of one request: begin, reports at most ten a second, end.

What lives here: coalescing, as a pure function of values and times. What must not: clocks, threads, JSON.
"""

from __future__ import annotations

import msgspec

from rpc.call import Progress

INTERVAL_SECONDS = 0.1
_FIELDS = Progress.__struct_fields__


class ProgressStream:
    """Decides when a value goes out. Every method returns what to send now, in order.

    The first value opens the stream whatever its kind; a value that comes too early is merged into the one
    that waits, so that nothing told is lost; `close` sends what waits and then the end.
    """

    __slots__ = ("_begun", "_ended", "_last", "_waiting")

    def __init__(self) -> None:
        self._begun = False
        self._ended = False
        self._last = 0.0
        self._waiting: Progress | None = None

    @property
    def due(self) -> float | None:
        """When the value that waits may go out; None where none waits."""
        return None if self._waiting is None else self._last + INTERVAL_SECONDS

    def offer(self, value: Progress, now: float, *, hold: bool = False) -> list[Progress]:
        """Take a value at the time `now`, in seconds of any monotonic clock. With `hold` a report waits."""
        if self._ended:
            return []
        if value.kind == "end":
            return self.close(value)
        if not self._begun:
            self._begun = True
            self._last = now
            return [msgspec.structs.replace(value, kind="begin")]
        self._waiting = _merged(self._waiting, msgspec.structs.replace(value, kind="report"))
        return [] if hold else self.flush(now)

    def flush(self, now: float) -> list[Progress]:
        """What waits, if its time has come."""
        if self._waiting is None or now < self._last + INTERVAL_SECONDS:
            return []
        value, self._waiting, self._last = self._waiting, None, now
        return [value]

    def close(self, end: Progress | None = None) -> list[Progress]:
        """Everything still to be said. Empty where nothing was begun."""
        if self._ended or (not self._begun and end is None):
            self._ended = True
            return []
        opening = [] if self._begun else [Progress(kind="begin")]
        waiting = [] if self._waiting is None else [self._waiting]
        self._begun = self._ended = True
        self._waiting = None
        return [*opening, *waiting, end or Progress(kind="end")]


def _merged(older: Progress | None, newer: Progress) -> Progress:
    if older is None:
        return newer
    changes = {name: value for name in _FIELDS if (value := getattr(newer, name)) is not None}
    return msgspec.structs.replace(older, **changes)
