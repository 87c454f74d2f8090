"""Which recordings end the process that scores them: told from the ledger.

What lives here: the verdict on each recording after crashes. What must not: restarting anything, or reading the ledger.

A crash names nobody. Several recordings are in hand at a time, because sound is read ahead of the model; all of them
are suspects from then on. Suspects are scored last and one by one, so that the next crash names its cause: a recording
that was in hand at two crashes has failed, and is passed over until somebody resumes the job. It then gets one more
chance.

Not every end is the recording's doing. SIGKILL comes from the system where memory runs out, but from people too, so it
takes one more of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rpc.errors import WorkerCrashed
from survey.ledger import AnyEvent, Crashed, Done, Ending, Failed, Scored, Stamp, Started, moment

_CHANCES = 2


@dataclass(slots=True)
class Verdict:
    """What is known of a recording as it is now. `guilty`: pass it over; `suspect`: score it by itself."""

    recording: Stamp
    faults: int = 0
    kills: int = 0
    failed_before: bool = False
    failed_now: bool = False

    @property
    def suspect(self) -> bool:
        """Whether it was in hand at a crash."""
        return self.faults + self.kills > 0 or self.failed_before

    @property
    def guilty(self) -> bool:
        """Whether it has had its chances in this run."""
        chances = 1 if self.failed_before else _CHANCES
        return self.failed_now or self.faults >= chances or self.faults + self.kills > chances

    def blame(self, ending: Ending) -> None:
        """Count an end of the process with the recording in hand."""
        if ending == "kill":
            self.kills += 1
        else:
            self.faults += 1


def in_hand(events: Iterable[AnyEvent], since: datetime) -> list[Stamp]:
    """The recordings that were begun after `since`, and of which nothing was heard any more."""
    begun: dict[str, Stamp] = {}
    for event in events:
        begun.pop(event.recording.file, None)
        if isinstance(event, Started) and moment(event.at) >= since:
            begun[event.recording.file] = event.recording
    return list(begun.values())


def got_through(events: Iterable[AnyEvent], since: datetime) -> int:
    """How many times after `since` a recording came out of the model."""
    return sum(isinstance(event, Scored) and moment(event.at) >= since for event in events)


def judge(events: Iterable[AnyEvent], since: datetime) -> dict[Stamp, Verdict]:
    """The verdict on each recording that was ever in hand at a crash; `since` is when this run began.

    A recording that was changed since is another one.
    """
    verdicts: dict[Stamp, Verdict] = {}
    for event in events:
        if isinstance(event, Crashed):
            verdicts.setdefault(event.recording, Verdict(event.recording)).blame(event.by)
        elif isinstance(event, Failed) and event.code == WorkerCrashed.code:
            verdict = verdicts.setdefault(event.recording, Verdict(event.recording))
            verdict.failed_before, verdict.faults, verdict.kills = True, 0, 0
            verdict.failed_now = moment(event.at) >= since
        elif isinstance(event, Done):
            verdicts.pop(event.recording, None)
    return verdicts
