"""How many threads prepare clips at a time.

What lives here: the gate that they pass, and the number of them that keeps up with the model. What must not: threads
themselves (ahead.py).

More threads than it takes would only take the processors from the model. So the number follows from two measurements:
what preparing a clip takes, by the clock, while the first clips of a job are prepared; and what scoring one takes. A
slow drive makes it larger.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_POLL_SECONDS = 0.1
_MARGIN = 2.0
"""While the model scores, it has most of the processors."""


class Readers:
    """At first `count` threads prepare at a time, never more than `most`. Thread-safe."""

    def __init__(self, count: int, most: int | None = None) -> None:
        self.most = count if most is None else most
        self._count = min(count, self.most)
        self._preparing = 0
        self._seconds = 0.0
        self._clips = 0
        self._changed = threading.Condition()

    @property
    def count(self) -> int:
        """How many may prepare at a time now."""
        return self._count

    @contextmanager
    def preparing(self, clips: int, stopping: threading.Event) -> Iterator[None]:
        """Wait for one's turn to prepare so many clips, but not beyond `stopping`, and measure what that takes."""
        with self._changed:
            while self._preparing >= self._count and not stopping.is_set():
                self._changed.wait(_POLL_SECONDS)
            self._preparing += 1
        begun = time.perf_counter()
        try:
            yield
        finally:
            with self._changed:
                self._preparing -= 1
                self._seconds += time.perf_counter() - begun
                self._clips += clips
                self._changed.notify()

    def fit(self, milliseconds: float) -> None:
        """Let as many prepare as keep up with a model that scores a clip in so many milliseconds."""
        with self._changed:
            if not self._clips or milliseconds <= 0:
                return
            taken = 1000 * self._seconds / self._clips
            self._count = min(self.most, max(1, math.ceil(_MARGIN * taken / milliseconds)))
            self._changed.notify_all()
