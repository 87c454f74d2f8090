"""A job in the words of the contract: made of its folder's record, by the sidecar and by inference.py alike.

What lives here: that translation. What must not: reading or writing anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from rpc.errors import DecodeFailed
from schemas.jobs import Failure, Job, JobReport
from schemas.worker import JobOutcome
from survey.job_folder import JobRecord
from survey.ledger import AnyEvent, Done, Failed, last_events, moment

_MAX_FAILURES = 100


def with_outcome(record: JobRecord, outcome: JobOutcome) -> JobRecord:
    """The record with the numbers of a run that has ended."""
    return msgspec.structs.replace(
        record,
        files_total=outcome.files_total,
        files_done=outcome.files_done,
        files_failed=outcome.files_failed,
        files_skipped=outcome.files_skipped,
        clips=outcome.clips,
        audio_seconds=outcome.audio_seconds,
        elapsed_seconds=outcome.elapsed_seconds,
    )


def with_events(record: JobRecord, events: Iterable[AnyEvent], stopped: datetime | None = None) -> JobRecord:
    """The record with the numbers that a run had reached when it stopped, as its ledger tells.

    Recordings count as scored once their last clip is in a closed part; what was scored of others is kept, but is in
    no number. A run whose end nobody saw lasted until its last event; `stopped` is when it ended, where that is known.
    """
    begun = moment(record.started_at)
    last = last_events(events).values()
    done = [event for event in last if isinstance(event, Done)]
    ours = [event for event in done if moment(event.at) >= begun]
    failed = sum(isinstance(event, Failed) and moment(event.at) >= begun for event in last)
    return msgspec.structs.replace(
        record,
        files_done=len(ours),
        files_failed=failed,
        # Recordings that have left the input still stand in the ledger.
        files_skipped=max(0, min(len(done) - len(ours), record.files_total - len(ours) - failed)),
        clips=sum(event.clips - event.unreadable for event in ours),
        audio_seconds=sum(event.audio_seconds for event in ours),
        elapsed_seconds=_seconds_between(begun, stopped or max((moment(event.at) for event in last), default=begun)),
    )


def failures_of(events: Iterable[AnyEvent]) -> tuple[Failure, ...]:
    """The recordings that could not be scored, or only in part, as the ledger tells, in the order they began."""
    told = (failure_of(event) for event in last_events(events).values())
    return tuple(failure for failure in told if failure is not None)


def failure_of(event: AnyEvent) -> Failure | None:
    """What is told of a recording whose last event this is; None where nothing is amiss."""
    if isinstance(event, Failed):
        return Failure(path=event.recording.file, code=event.code, message=event.message)
    return partial_failure(event) if isinstance(event, Done) and event.unreadable else None


def partial_failure(done: Done) -> Failure:
    """What is told of a recording of which some clips could not be read."""
    message = f"{done.unreadable} of {done.clips} clips could not be read; the others are scored."
    first = f" The first: {done.message}" if done.message else ""
    return Failure(path=done.recording.file, code=DecodeFailed.code, message=message + first)


def describe_job(job_folder: str, model: str, record: JobRecord) -> Job:
    """The job of `record`; `job_folder` is its path as it stands on the wire, `model` the model's name for people."""
    return Job(
        job_id=record.job_id,
        job_folder=job_folder,
        name=record.name,
        state=record.state,
        model=model,
        created_at=record.created_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        files_total=record.files_total,
        files_done=record.files_done,
        files_failed=record.files_failed,
        files_skipped=record.files_skipped,
        clips=record.clips,
        message=record.message,
    )


def report_job(job: Job, record: JobRecord, outcome: JobOutcome | None = None) -> JobReport:
    """The answer to a run: the job, and what `outcome` adds, once there is one."""
    elapsed, sound = record.elapsed_seconds, record.audio_seconds
    return JobReport(
        **{name: getattr(job, name) for name in job.__struct_fields__},
        files_added=0 if outcome is None else outcome.files_added,
        audio_seconds=sound,
        elapsed_seconds=elapsed,
        realtime_factor=sound / elapsed if elapsed > 0 else None,
        outputs=() if outcome is None else outcome.outputs,
        failures=() if outcome is None else outcome.failures[:_MAX_FAILURES],
    )


def _seconds_between(begun: datetime, ended: datetime) -> float:
    """0 where the run never began, or a clock was put back."""
    return max(0.0, (ended - begun).total_seconds()) if begun.year > 1 else 0.0
