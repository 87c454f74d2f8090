"""What a handler sees of the request it answers: its token, its progress, its partial results.

What lives here: the Call and the progress value. What must not: threads, pipes, dispatch.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from rpc.cancel import CancelToken


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


class Call(Protocol):
    """One request being answered. `report` may be called as often as is convenient: it is coalesced."""

    token: CancelToken

    @property
    def id(self) -> int | str | None:
        """The request's id."""

    def begin(self, progress: Progress) -> None:
        """Open the progress of this request (its kind is set to "begin")."""

    def report(self, progress: Progress) -> None:
        """Tell how far it is; at most 10 a second reach the wire, the last one always does."""

    def partial(self, rows: list[msgspec.Struct]) -> None:
        """Stream rows of the result. Only where `wants_partial` is true."""

    @property
    def wants_partial(self) -> bool:
        """Whether the client gave a partialResultToken."""
