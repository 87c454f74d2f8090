"""What a handler sees of the request it answers: its token, its progress, its partial results.

What lives here: the Call and the progress value. What must not: threads, pipes, dispatch.

A room never sees a Call. A handler hands it `call.token` and, where it reports, `call.report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from rpc.cancel import CancelToken

RequestId = int | float | str | None


class Progress(msgspec.Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """The value of a `$/progress` notification.

    `done` of `total` are counted in `unit`; `percentage` is 0..100. Jobs add clips per second, seconds of
    sound per second of wall time, the seconds that remain, and the number of recordings that failed.
    """

    kind: Literal["begin", "report", "end"] | None = None
    title: str | None = None
    message: str | None = None
    percentage: float | None = None
    done: float | None = None
    total: float | None = None
    unit: str | None = None
    clips_per_second: float | None = None
    realtime_factor: float | None = None
    eta_seconds: float | None = None
    failed: int | None = None
    job_id: str | None = None
    job_folder: str | None = None


class Sink(Protocol):
    """Where a Call's progress and rows go. The channel offers one; a test may offer its own."""

    def progress(self, progress: Progress) -> None:
        """Take one value; its kind is set. May be called from any thread and never blocks."""

    def rows(self, rows: Sequence[Any]) -> None:
        """Take rows of the result; blocks while the client is far behind."""


class Call(msgspec.Struct, eq=False):
    """One request being answered.

    `report` may be called from any thread and as often as is convenient: it is coalesced to ten a second.
    Progress that was begun is ended by itself, before the reply. Without a sink, or without the client's
    tokens, everything told is dropped, so a handler need not ask.
    """

    id: RequestId = None  # the protocol's own word
    method: str = ""
    token: CancelToken = msgspec.field(default_factory=CancelToken)
    wants_progress: bool = False
    wants_partial: bool = False
    _sink: Sink | None = None

    def listen(self, sink: Sink, *, progress: bool, partial: bool) -> None:
        """Somebody wants to hear of it: its progress, its rows, or both."""
        self._sink = sink
        self.wants_progress = progress
        self.wants_partial = partial

    def begin(self, progress: Progress) -> None:
        """Open the progress of this request (its kind is set to "begin"). Not needed: `report` opens it too."""
        self._tell(progress, "begin")

    def report(self, progress: Progress) -> None:
        """Tell how far it is; at most 10 a second reach the wire, the last one always does."""
        self._tell(progress, "report")

    def end(self, progress: Progress) -> None:
        """Close the progress with a last word. Not needed: the reply closes it."""
        self._tell(progress, "end")

    def partial(self, rows: Sequence[Any]) -> None:
        """Stream rows of the result, in order. Only where `wants_partial`; leave them out of the result then.

        Blocks while the client is far behind.

        Raises
        ------
        RequestCancelled
            When the token goes up while this waits.
        """
        if self.wants_partial and self._sink is not None and rows:
            self._sink.rows(rows)

    def _tell(self, progress: Progress, kind: Literal["begin", "report", "end"]) -> None:
        if self.wants_progress and self._sink is not None:
            self._sink.progress(msgspec.structs.replace(progress, kind=kind))
