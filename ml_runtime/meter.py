"""How far a job is and how fast it goes.

What lives here: turning what happened into Progress. What must not: sending it.

The number of clips in recordings not opened yet is estimated from their size, by what those opened hold per byte: those
of the same folder and format where there are any, for one recorder writes at one sample rate.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ml_runtime.books import Tally
from ml_runtime.pipeline.ahead import Opened
from ml_runtime.standing import Standing
from rpc.call import Progress


@dataclass(slots=True)
class _Kind:
    """Recordings of one folder and format: those whose clips are known, and those not opened yet."""

    known_bytes: int = 0
    known_clips: int = 0
    unknown_bytes: int = 0

    @property
    def density(self) -> float | None:
        """Clips per byte."""
        return self.known_clips / self.known_bytes if self.known_bytes else None


class Meter:
    """Measures from the moment scoring begins, so that a cold start does not spoil the speed.

    `tally` is what the run had done by then.
    """

    def __init__(self, standing: Standing, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
        self._standing = standing
        self._clock = clock
        self._begun = clock()
        self._clips_at_begin, self._seconds_at_begin = tally.clips, tally.audio_seconds
        self._clips_before = sum(held.count for path in standing.stamps for held in standing.held_of(path))
        self._kinds: defaultdict[tuple[Path, str], _Kind] = defaultdict(_Kind)
        for path, stamp in standing.stamps.items():
            self._kind_of(path).unknown_bytes += stamp.size
        for path in standing.complete:
            self._know(path, standing.held_of(path)[0].total)

    def opened(self, opened: Opened) -> None:
        """A recording's number of clips is known now."""
        self._know(opened.path, len(opened.times))

    def passed_over(self, path: Path) -> None:
        """A recording has no clips, for it cannot be read; what others of its size hold it does not tell."""
        stamp = self._standing.stamps.get(path)
        if stamp is not None:
            self._kind_of(path).unknown_bytes -= stamp.size

    def progress(self, tally: Tally, message: str) -> Progress:
        """Everything that is known now."""
        elapsed = max(self._clock() - self._begun, 1e-9)
        scored, seconds = tally.clips - self._clips_at_begin, tally.audio_seconds - self._seconds_at_begin
        done, total = self._clips_before + scored, self._clips_in_all()
        speed = scored / elapsed
        return Progress(
            message=message,
            done=done,
            total=max(done, total),
            percentage=100 * min(1.0, done / total) if total else None,
            unit="clips",
            clips_per_second=speed or None,
            realtime_factor=seconds / elapsed or None,
            eta_seconds=max(0, total - done) / speed if speed else None,
            failed=tally.files_failed,
        )

    def _kind_of(self, path: Path) -> _Kind:
        return self._kinds[path.parent, path.suffix.lower()]

    def _know(self, path: Path, clips: int) -> None:
        kind, size = self._kind_of(path), self._standing.stamps[path].size
        kind.unknown_bytes -= size
        kind.known_bytes += size
        kind.known_clips += clips

    def _clips_in_all(self) -> int:
        """Clips of all recordings, those not opened estimated."""
        kinds = self._kinds.values()
        known_bytes, known_clips = sum(kind.known_bytes for kind in kinds), sum(kind.known_clips for kind in kinds)
        usual = known_clips / known_bytes if known_bytes else 0.0
        expected = sum(kind.unknown_bytes * (usual if kind.density is None else kind.density) for kind in kinds)
        return known_clips + round(expected)
