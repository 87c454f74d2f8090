"""Keeping the books of a running job: scored clips go into parts, events into the ledger, failures into a list.

What lives here: what becomes of each clip and recording. What must not: reading, scoring, the order of things.

A recording is entered as done only after the part with its last clip is closed. Clips that cannot be read are kept as
rows without scores, but only beside clips that can: a recording without a single readable clip has failed, and no
row of it is written.

A recording that vanishes while it is scored has failed too; its clips until then stay.

A process that dies loses what is not in a closed part yet. So a part is closed after a tenth of the time that the run
has taken so far, within bounds: a short run loses seconds, a long one neither more than a minute nor its speed to
thousands of small files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from ml_runtime.pipeline.ahead import Ended, Opened, Unreadable
from ml_runtime.pipeline.batches import ScoredClip
from ml_runtime.presence import Presence
from ml_runtime.standing import Standing
from rpc.errors import DecodeFailed, RequestFailed
from schemas.jobs import Failure
from survey.job_report import partial_failure
from survey.ledger import Done, Failed, Ledger, Scored, Stamp, Started
from survey.parts import ClipRange, PartWriter, ScoredClips
from survey.paths import path_to_wire

SHORTEST_PART_SECONDS = 2.0
LONGEST_PART_SECONDS = 60.0
_PART_OF_THE_RUN = 0.1
_CLIPS_WAITING = 256
_SCORES_WAITING = 500_000


@dataclass(slots=True)
class _Page:
    """One recording while it is scored. `waiting` are clips not yet handed to the writer."""

    stamp: Stamp
    opened: Opened
    readable: bool
    waiting: list[ScoredClip] = field(default_factory=list)
    errors: list[RequestFailed] = field(default_factory=list)
    unreadable: int = 0
    loss: RequestFailed | None = None


@dataclass(slots=True)
class Tally:
    """What this run has done so far. `clips` and `audio_seconds` count clips with scores."""

    files_done: int = 0
    files_failed: int = 0
    clips: int = 0
    audio_seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)


class Books:
    """Takes the pipeline's events in order. `tally` is what this run has done before."""

    def __init__(
        self,
        writer: PartWriter,
        ledger: Ledger,
        standing: Standing,
        presence: Presence,
        *,
        tally: Tally | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally = tally or Tally()
        self._presence = presence
        self._writer = writer
        self._ledger = ledger
        self._standing = standing
        self._clock = clock
        self._page: _Page | None = None
        self._unentered: list[Done] = []
        self._begun = self._part_begun = clock()
        self._clips_waiting = max(1, min(_CLIPS_WAITING, _SCORES_WAITING // max(1, len(writer.basis.classes))))

    def enter(self, event: Opened | Unreadable | ScoredClip | Ended) -> None:
        """Take one event.

        Raises
        ------
        rpc.errors.DiskFull, rpc.errors.PermissionRefused
            A part or the ledger cannot be written.
        rpc.errors.InputGone
            The folder of the recording is gone; what could not be read of it counts as not tried.
        """
        if isinstance(event, Opened):
            self._begin(event)
        elif isinstance(event, Unreadable):
            self.fail(event.path, self._presence.loss_of(event.path) or event.error)
        elif isinstance(event, Ended):
            self._end()
        else:
            self._take(event)
        if self._writer.is_full or (self._is_due() and self._has_something_to_close()):
            self.close_part()

    def announce(self, path: Path) -> None:
        """Enter that the recording is in hand from now on. Any thread may call this."""
        self._ledger.append(Started(recording=self._standing.stamps[path]), durable=False)

    def fail(self, path: Path, error: RequestFailed) -> None:
        """Enter a recording that could not be scored at all."""
        stamp = self._standing.stamps.get(path) or Stamp(path_to_wire(path), 0, 0)
        message = _encodable(error.message)
        self.tally.files_failed += 1
        self.tally.failures.append(Failure(path=stamp.file, code=error.code, message=message))
        self._ledger.append(Failed(recording=stamp, code=error.code, message=message), durable=False)

    def close_part(self) -> None:
        """Close the open part, and enter the recordings that are now done."""
        self._hand_over()
        self._writer.close_part()
        self._ledger.append(*self._unentered)
        self._unentered.clear()
        self._part_begun = self._clock()

    def _is_due(self) -> bool:
        now = self._clock()
        interval = (now - self._begun) * _PART_OF_THE_RUN
        return now - self._part_begun >= min(max(interval, SHORTEST_PART_SECONDS), LONGEST_PART_SECONDS)

    def _has_something_to_close(self) -> bool:
        page = self._page
        waiting = page is not None and page.readable and bool(page.waiting)
        return waiting or bool(self._unentered) or not self._writer.is_empty

    def _begin(self, opened: Opened) -> None:
        stamp, held = self._standing.stamps[opened.path], self._standing.held_of(opened.path)
        unreadable = sum(len(scored.unreadable) for scored in held)
        self._page = _Page(stamp, opened, readable=bool(held), unreadable=unreadable)

    def _take(self, clip: ScoredClip) -> None:
        page = self._current()
        if clip.error is not None:
            page.loss = page.loss or self._presence.loss_of(page.opened.path)
        if page.loss is not None:
            return
        page.waiting.append(clip)
        if clip.error is None:
            page.readable = True
            self.tally.clips += 1
            self.tally.audio_seconds += page.opened.times.audio_seconds(clip.index, 1, page.opened.duration_seconds)
        else:
            page.errors = page.errors or [clip.error]
            page.unreadable += 1
        if len(page.waiting) >= self._clips_waiting:
            self._hand_over()

    def _end(self) -> None:
        self._hand_over()
        page, self._page = self._current(), None
        if page.loss is not None:
            self.fail(page.opened.path, page.loss)
            return
        if not page.readable:
            self.fail(page.opened.path, _nothing_readable(page))
            return
        self.tally.files_done += 1
        done = Done(
            recording=page.stamp,
            clips=len(page.opened.times),
            audio_seconds=page.opened.duration_seconds,
            unreadable=page.unreadable,
            message=_encodable(page.errors[0].message) if page.errors else "",
        )
        if page.unreadable:
            self.tally.failures.append(partial_failure(done))
        self._unentered.append(done)
        self._ledger.append(Scored(recording=page.stamp), durable=False)

    def _hand_over(self) -> None:
        """Give the waiting clips of the current recording to the writer, in runs of consecutive clips."""
        page = self._page
        if page is None or not page.readable or not page.waiting:
            return
        for _, run in groupby(enumerate(page.waiting), key=lambda numbered: numbered[1].index - numbered[0]):
            self._write([clip for _, clip in run], page)
        page.waiting.clear()

    def _write(self, clips: Sequence[ScoredClip], page: _Page) -> None:
        times, classes = page.opened.times, len(self._writer.basis.classes)
        first, count = clips[0].index, len(clips)
        nothing = np.full(classes, np.nan, dtype=_dtype_of(clips))
        written = ClipRange(
            recording=page.stamp,
            first=first,
            count=count,
            total=len(times),
            start_seconds=float(times.starts[first]),
            end_seconds=float(times.ends[first + count - 1]),
            audio_seconds=times.audio_seconds(first, count, page.opened.duration_seconds),
            unreadable=tuple(clip.index for clip in clips if clip.scores is None),
        )
        scores = np.stack([nothing if clip.scores is None else clip.scores for clip in clips])
        starts, ends = times.starts[first : first + count], times.ends[first : first + count]
        self._writer.add(ScoredClips(written, starts, ends, scores))

    def _current(self) -> _Page:
        assert self._page is not None, "a clip before its recording"
        return self._page


def _dtype_of(clips: Sequence[ScoredClip]) -> np.dtype[np.floating]:
    return next((clip.scores.dtype for clip in clips if clip.scores is not None), np.dtype(np.float32))


def _nothing_readable(page: _Page) -> RequestFailed:
    if page.errors:
        return page.errors[0]
    path = page.opened.path
    return DecodeFailed(f"{path} holds no sound.", path=path)


def _encodable(message: str) -> str:
    """A sentence may name a file whose name is not UTF-8; JSON and CSV cannot hold it as it is."""
    return message.encode("utf-8", "backslashreplace").decode("utf-8")
