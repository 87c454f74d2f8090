"""How far a job is and how fast it goes.

What lives here: turning what happened into Progress. What must not: sending it.

The number of clips in recordings not opened yet is estimated from their size, by what those opened hold per byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ml_runtime.books import Tally
from ml_runtime.pipeline.ahead import Opened
from ml_runtime.standing import Standing
from rpc.call import Progress


class Meter:
    """Measures from the moment scoring begins, so that a cold start does not spoil the speed."""

    def __init__(self, standing: Standing, clock: Callable[[], float] = time.monotonic) -> None:
        self._standing = standing
        self._clock = clock
        self._begun = clock()
        self._clips_before = sum(held.count for path in standing.stamps for held in standing.held_of(path))
        self._bytes_known = 0
        self._clips_known = 0
        for path in standing.complete:
            self._know(path, standing.held_of(path)[0].total)

    def opened(self, opened: Opened) -> None:
        """A recording's number of clips is known now."""
        self._know(opened.path, len(opened.times))

    def passed_over(self, path: Path) -> None:
        """A recording has no clips, for it cannot be read."""
        self._know(path, 0)

    def progress(self, tally: Tally, message: str) -> Progress:
        """Everything that is known now."""
        elapsed = max(self._clock() - self._begun, 1e-9)
        done, total = self._clips_before + tally.clips, self._clips_in_all()
        speed = tally.clips / elapsed
        return Progress(
            message=message,
            done=done,
            total=max(done, total),
            percentage=100 * min(1.0, done / total) if total else None,
            unit="clips",
            clips_per_second=speed or None,
            realtime_factor=tally.audio_seconds / elapsed or None,
            eta_seconds=max(0, total - done) / speed if speed else None,
            failed=tally.files_failed,
        )

    def _know(self, path: Path, clips: int) -> None:
        stamp = self._standing.stamps.get(path)
        self._bytes_known += stamp.size if stamp is not None else 0
        self._clips_known += clips

    def _clips_in_all(self) -> int:
        """Clips of all recordings, those not opened estimated."""
        if not self._bytes_known:
            return self._clips_known
        unknown = max(0, self._standing.size_bytes - self._bytes_known)
        return self._clips_known + round(unknown * self._clips_known / self._bytes_known)
