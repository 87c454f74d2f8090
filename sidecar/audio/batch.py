"""Clips by the page: out of the cache, or rendered on all cores, each recording opened once.

What lives here: ClipRenderer, the way to clips for everyone outside this room. What must not: how a clip is rendered
(clips.py), the wire.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rpc.cancel import CancelToken
from rpc.errors import InternalError, InvalidParams, OutOfMemory, RpcError
from schemas.audio import Clip, ClipParams
from sidecar.audio.blobs import BlobStore
from sidecar.audio.cache import ClipCache
from sidecar.audio.clips import RenderedClip, check_times, deliver, render_clip, render_from
from survey.paths import path_from_wire
from survey.recordings import Recording, open_recording

Outcome = Clip | RpcError
OnReady = Callable[[int, Outcome], None]
"""Given each clip's number and result, in order."""

_Result = TypeVar("_Result", Clip, RenderedClip)
_Render = Callable[[], RenderedClip]
_Finish = Callable[[ClipParams, _Render], _Result]
"""What becomes of a clip: told the request and how to render it."""

_Ready = queue.SimpleQueue[tuple[int, _Result | RpcError] | None]
_Numbered = tuple[int, ClipParams]
_AHEAD_CLIPS = 64
_AHEAD_SECONDS = 120.0
_log = logging.getLogger(__name__)


class ClipRenderer:
    """Renders clips and delivers them. Thread-safe."""

    def __init__(self, blobs: BlobStore, cache: ClipCache | None = None) -> None:
        self._blobs = blobs
        self._cache = cache

    def render(self, request: ClipParams, token: CancelToken) -> Clip:
        """One clip. Raises as `sidecar.audio.clips.render_clip`."""
        check_times(request.start_seconds, request.end_seconds)
        try:
            return self._cached(request, lambda: render_clip(request, token))
        except MemoryError as error:
            raise _out_of_memory(request) from error

    def render_all(
        self, requests: Sequence[ClipParams], token: CancelToken, on_ready: OnReady | None = None
    ) -> list[Outcome]:
        """Many clips, in the order of `requests`; where one cannot be rendered, its error stands in its place.

        Raises
        ------
        rpc.errors.RequestCancelled
            Within the time that one step of one clip takes.
        """
        outcomes: list[Outcome] = []
        for number, outcome in _in_order(self._rendered(requests, token, self._cached)):
            outcomes.append(outcome)
            if on_ready is not None:
                on_ready(number, outcome)
        return outcomes

    def each(self, requests: Sequence[ClipParams], token: CancelToken) -> Iterator[RenderedClip | RpcError]:
        """Any number of clips as bytes, in the order of `requests`; where one cannot be rendered, its error.

        Nothing is cached, and few are rendered ahead of what is taken. Raises RequestCancelled as `render_all`.
        """
        for share in _by_turns(requests):
            for _, outcome in _in_order(self._rendered(share, token, lambda _, render: render())):
                yield outcome

    def _rendered(
        self, requests: Sequence[ClipParams], token: CancelToken, finish: _Finish[_Result]
    ) -> Iterator[tuple[int, _Result | RpcError]]:
        """Clips with their numbers, as they are ready."""
        ready: _Ready[_Result] = queue.SimpleQueue()
        token.on_cancel(lambda: ready.put(None))
        cores = _cores()
        pool = ThreadPoolExecutor(cores, thread_name_prefix="clips")
        try:
            for share in _shares(requests, cores):
                pool.submit(self._render_share, share, token, finish, ready)
            for _ in requests:
                numbered = ready.get()
                token.raise_if_cancelled()
                if numbered is not None:
                    yield numbered
        finally:
            # Nobody waits for a clip that is cancelled: its thread ends at its next look at the token.
            pool.shutdown(wait=False, cancel_futures=True)

    def _render_share(
        self, share: list[_Numbered], token: CancelToken, finish: _Finish[_Result], ready: _Ready[_Result]
    ) -> None:
        """Clips of one recording, which is opened when the first of them is not in the cache."""
        with _OnceOpened(token) as opened:
            for number, request in share:
                if token.cancelled:
                    return
                ready.put((number, self._outcome(request, opened, token, finish)))

    def _outcome(
        self, request: ClipParams, opened: _OnceOpened, token: CancelToken, finish: _Finish[_Result]
    ) -> _Result | RpcError:
        try:
            check_times(request.start_seconds, request.end_seconds)
            return finish(request, lambda: render_from(opened.recording(request.path), request, token))
        except RpcError as error:
            return error
        except MemoryError:
            return _out_of_memory(request)
        except Exception:  # noqa: BLE001  (one bad clip must not take the page with it, even by our fault)
            _log.exception("A clip of %s failed", request.path)
            return InternalError(f"This clip of {request.path} failed by a fault of the program.", path=request.path)

    def _cached(self, request: ClipParams, render: _Render) -> Clip:
        return deliver(self._remembered(request, render), request, self._blobs)

    def _remembered(self, request: ClipParams, render: _Render) -> RenderedClip:
        key = self._cache.key_of(request) if self._cache is not None else None
        if self._cache is None or key is None:
            return render()
        rendered = self._cache.get(key)
        if rendered is None:
            rendered = render()
            # Of a recording that has changed while it was read nobody knows what was rendered.
            if self._cache.key_of(request) == key:
                self._cache.put(key, rendered)
        return rendered


class _OnceOpened:
    """A recording that is opened once, or fails once, however many clips are cut out of it."""

    def __init__(self, token: CancelToken) -> None:
        self._token = token
        self._recording: Recording | None = None
        self._error: RpcError | None = None

    def recording(self, path: str) -> Recording:
        if self._error is not None:
            raise self._error
        if self._recording is None:
            try:
                self._recording = open_recording(path_from_wire(path), self._token)
            except RpcError as error:
                self._error = error
                raise
        return self._recording

    def __enter__(self) -> _OnceOpened:
        return self

    def __exit__(self, *_: object) -> None:
        if self._recording is not None:
            self._recording.close()


def in_batch(error: RpcError, number: int, field: str = "clips") -> RpcError:
    """`error` of a clip in a batch, the list `field`: what is wrong with its own params carries its number."""
    own = ("$.path", "$.startSeconds", "$.endSeconds")
    if isinstance(error, InvalidParams) and error.message.startswith(own):
        return InvalidParams(error.message.replace("$.", f"$.{field}[{number}].", 1))
    return error


def _out_of_memory(request: ClipParams) -> OutOfMemory:
    return OutOfMemory(
        f"There is not enough memory for this clip of {request.path}.", path=request.path, hint="Ask for a shorter one."
    )


def _shares(requests: Sequence[ClipParams], cores: int) -> list[list[_Numbered]]:
    """The clips of each recording, dealt out so that all cores have work and the first clips are ready first."""
    by_path: dict[str, list[_Numbered]] = {}
    for number, request in enumerate(requests):
        by_path.setdefault(request.path, []).append((number, request))
    hands = -(-cores // len(by_path)) if by_path else 1
    shares = [group[hand::hands] for group in by_path.values() for hand in range(hands)]
    return sorted(filter(None, shares), key=lambda share: share[0][0])


def _by_turns(requests: Sequence[ClipParams]) -> Iterator[Sequence[ClipParams]]:
    """`requests` in shares that memory can hold at once."""
    first, seconds = 0, 0.0
    for number, request in enumerate(requests):
        seconds += request.end_seconds - request.start_seconds
        if number > first and (number - first >= _AHEAD_CLIPS or seconds > _AHEAD_SECONDS):
            yield requests[first:number]
            first, seconds = number, request.end_seconds - request.start_seconds
    yield requests[first:]


def _in_order(ready: Iterable[tuple[int, _Result | RpcError]]) -> Iterator[tuple[int, _Result | RpcError]]:
    waiting: dict[int, _Result | RpcError] = {}
    following = itertools.count()
    number = next(following)
    for ready_number, outcome in ready:
        waiting[ready_number] = outcome
        while number in waiting:
            yield number, waiting.pop(number)
            number = next(following)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
