"""A job in the words of the contract: made of its folder's record, by the sidecar and by inference.py alike.

What lives here: that translation. What must not: reading or writing anything.
"""

from __future__ import annotations

import msgspec

from schemas.jobs import Job, JobReport
from schemas.worker import JobOutcome
from survey.job_folder import JobRecord

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
        clips=record.clips,
        message=record.message,
    )


def report_job(job: Job, record: JobRecord, outcome: JobOutcome | None = None) -> JobReport:
    """The answer to a run: the job, and what `outcome` adds, once there is one."""
    elapsed, sound = record.elapsed_seconds, record.audio_seconds
    return JobReport(
        **{name: getattr(job, name) for name in job.__struct_fields__},
        files_skipped=record.files_skipped,
        audio_seconds=sound,
        elapsed_seconds=elapsed,
        realtime_factor=sound / elapsed if elapsed > 0 else None,
        outputs=() if outcome is None else outcome.outputs,
        failures=() if outcome is None else outcome.failures[:_MAX_FAILURES],
    )
