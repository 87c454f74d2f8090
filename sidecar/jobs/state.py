"""The states of a job, and which may follow which.

What lives here: the table, and nothing that happens in a state. What must not: I/O, threads, files.

    queued ──> preparing ──> running ──> completed
      ^            │            │
      │            ├────────────┼──> failed, cancelled, interrupted (the process died),
      │            │            │    paused (the disk is full, the recordings are gone)
      │            v            v
      └──────── all of these, when resumed; completed too, for recordings that were added
"""

from __future__ import annotations

from rpc.errors import InternalError
from schemas.jobs import JobState

_ENDS: frozenset[JobState] = frozenset({"completed", "failed", "cancelled", "paused", "interrupted"})

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    "queued": frozenset({"preparing", "cancelled", "interrupted", "failed"}),
    "preparing": frozenset({"running", *_ENDS}),
    "running": _ENDS,
    "paused": frozenset({"queued", "cancelled"}),
    "completed": frozenset({"queued"}),
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
    "interrupted": frozenset({"queued"}),
}

ACTIVE: frozenset[JobState] = frozenset({"queued", "preparing", "running"})
"""States of a job that somebody is working on; one whose folder nobody holds in these was interrupted."""


class IllegalTransition(InternalError):
    """A job was to go from one state to another that may not follow it."""

    def __init__(self, before: JobState, after: JobState) -> None:
        super().__init__(f"A job that is {before} cannot become {after}.")
        self.before = before
        self.after = after


def follow(before: JobState, after: JobState) -> JobState:
    """`after`, where it may follow `before`.

    Raises
    ------
    IllegalTransition
        It may not.
    """
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(before, after)
    return after
