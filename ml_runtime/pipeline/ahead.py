"""Reading ahead: recordings are opened and their clips prepared in threads, and come out in order.

What lives here: the planner thread, the pool that prepares, the bounded queue between them and the model. What must
not: scoring, writing, or what becomes of a recording that cannot be read.

Each recording is opened once. The queue holds a few chunks of prepared clips, so that memory does not grow with
the length of a recording or their number.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_runtime.clips import ClipTimes
from ml_runtime.models.protocol import Model, PreparesTogether
from ml_runtime.pipeline.readers import Readers
from ml_runtime.sound import Sound
from rpc.cancel import CancelToken
from rpc.errors import DecodeFailed, OutOfMemory, RequestFailed
from survey.parts import ClipRange, missing_clips

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 1.0

Describe = Callable[[Path], Sequence[ClipRange]]
Announce = Callable[[Path], None]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A recording is open; `missing` are its clips to score, as (first, count)."""

    path: Path
    times: ClipTimes
    duration_seconds: float
    missing: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Unreadable:
    """A recording could not be opened."""

    path: Path
    error: RequestFailed


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A clip of the recording opened last, ready for the model; or why it is not."""

    index: int
    sample: Any
    error: RequestFailed | None


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """No more clips of the recording opened last."""

    path: Path


Event = Opened | Unreadable | Prepared | Ended
_Entry = Event | Future[list[Prepared]] | BaseException | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far to read ahead: the `readers` that prepare, clips per `chunk`, chunks for a `batch` of the model."""

    readers: Readers
    chunk: int
    batch: int = 1

    @property
    def chunks_waiting(self) -> int:
        """How many chunks may wait for the model: while it scores a batch, the next one is prepared."""
        return self.readers.most + 1 + self.batch


@contextlib.contextmanager
def read_ahead(
    model: Model,
    recordings: Sequence[Path],
    overlap_seconds: float,
    held: Describe,
    announce: Announce,
    ahead: Ahead,
    token: CancelToken,
) -> Iterator[Iterator[Event]]:
    """The events of all `recordings`, in order. Leaving the context stops the threads and closes the files.

    `held` tells which clips of a recording are scored already. `announce` hears of each recording before it is opened,
    on another thread. A cancel is heeded even while a drive hangs.
    """
    events = _Reader(model, recordings, overlap_seconds, held, announce, ahead, token).events()
    try:
        yield events
    finally:
        events.close()


class _Reader:
    def __init__(
        self,
        model: Model,
        recordings: Sequence[Path],
        overlap_seconds: float,
        held: Describe,
        announce: Announce,
        ahead: Ahead,
        token: CancelToken,
    ) -> None:
        self._model = model
        self._recordings = recordings
        self._overlap_seconds = overlap_seconds
        self._held = held
        self._announce = announce
        self._ahead = ahead
        self._token = token
        self._stopping = threading.Event()
        self._queue: queue.Queue[_Entry] = queue.Queue(ahead.chunks_waiting)
        self._open: dict[Path, Sound] = {}

    def events(self) -> Generator[Event, None, None]:
        """Start the threads; give what comes out of the queue."""
        pool = ThreadPoolExecutor(self._ahead.readers.most, thread_name_prefix="prepare")
        planner = threading.Thread(target=self._plan, args=(pool,), name="read ahead", daemon=True)
        planner.start()
        try:
            while (entry := self._next()) is not None:
                yield from self._unpack(entry)
        finally:
            self._stopping.set()
            # No wait without end: a thread may hang in a read from a drive that is gone.
            planner.join(_PATIENCE_SECONDS)
            pool.shutdown(wait=False, cancel_futures=True)
            for sound in list(self._open.values()):
                sound.close()

    def _next(self) -> _Entry:
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=_POLL_SECONDS)
            self._token.raise_if_cancelled()

    def _unpack(self, entry: Event | Future[list[Prepared]] | BaseException) -> Iterator[Event]:
        if isinstance(entry, BaseException):
            raise entry
        if isinstance(entry, Future):
            while not wait([entry], timeout=_POLL_SECONDS).done:
                self._token.raise_if_cancelled()
            yield from entry.result()
            return
        if isinstance(entry, Ended):
            self._open.pop(entry.path).close()
        yield entry

    def _plan(self, pool: ThreadPoolExecutor) -> None:
        """Runs on the planner thread: opens one recording after the other, and hands its clips to the pool."""
        try:
            for path in self._recordings:
                if self._stopping.is_set():
                    return
                self._plan_recording(path, pool)
            self._put(None)
        except BaseException as error:  # noqa: BLE001  (raised on the thread that waits)
            self._put(error)

    def _plan_recording(self, path: Path, pool: ThreadPoolExecutor) -> None:
        self._announce(path)
        try:
            sound = Sound.open(path)
        except RequestFailed as error:
            self._put(Unreadable(path, error))
            return
        self._open[path] = sound
        try:
            times = self._model.clip_times(sound, self._overlap_seconds)
        except RequestFailed as error:
            self._open.pop(path).close()
            self._put(Unreadable(path, error))
            return
        missing = tuple(missing_clips(self._held(path), len(times)))
        self._put(Opened(path, times, sound.duration_seconds, missing))
        for first, after in self._chunks(missing):
            if self._stopping.is_set():
                return
            self._put(pool.submit(self._prepare, sound, times, first, after))
        self._put(Ended(path))

    def _chunks(self, missing: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        step = self._ahead.chunk
        for first, count in missing:
            for start in range(first, first + count, step):
                yield start, min(start + step, first + count)

    def _prepare(self, sound: Sound, times: ClipTimes, first: int, after: int) -> list[Prepared]:
        with self._ahead.readers.preparing(after - first, self._stopping):
            return [] if self._stopping.is_set() else self._prepare_chunk(sound, times, first, after)

    def _prepare_chunk(self, sound: Sound, times: ClipTimes, first: int, after: int) -> list[Prepared]:
        samples = self._prepare_together(sound, times, first, after)
        if samples is not None:
            return [Prepared(first + place, sample, None) for place, sample in enumerate(samples)]
        return [
            self._prepare_clip(sound, index, float(times.starts[index]), float(times.ends[index]))
            for index in range(first, after)
        ]

    def _prepare_together(self, sound: Sound, times: ClipTimes, first: int, after: int) -> Sequence[Any] | None:
        """None where the clips have to be prepared one by one: then it shows which of them fails, and why."""
        if not isinstance(self._model, PreparesTogether):
            return None
        try:
            return self._model.prepare_together(
                sound, times.starts[first:after].tolist(), times.ends[first:after].tolist()
            )
        except (RequestFailed, MemoryError, RuntimeError):
            return None

    def _prepare_clip(self, sound: Sound, index: int, start: float, end: float) -> Prepared:
        try:
            return Prepared(index, self._model.prepare(sound, start, end), None)
        except RequestFailed as error:
            return Prepared(index, None, error)
        except MemoryError as error:
            raise OutOfMemory("There is not enough memory to prepare a clip.", path=sound.path) from error
        # A model's preprocessing may raise anything; one odd recording must not end a survey.
        except Exception as error:  # noqa: BLE001
            _LOG.exception("%s, clip at %g s", sound.path, start)
            reason = str(error) or type(error).__name__
            message = f"{sound.path}: the clip at {start:g} s cannot be prepared for the model ({reason})."
            return Prepared(index, None, DecodeFailed(message, path=sound.path))

    def _put(self, entry: _Entry) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(entry, timeout=_POLL_SECONDS)
                return
