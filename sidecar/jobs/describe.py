"""What a job looks like to a client: the Job and the JobReport made of its folder's record.

What lives here: that translation. What must not: changing anything.
"""

from __future__ import annotations

import msgspec

from rpc.call import Progress
from schemas.config import Config
from schemas.jobs import Job, JobReport, OutputFile
from schemas.worker import JobOutcome
from sidecar.jobs.index import KnownJob
from sidecar.jobs.state import follow
from survey.job_folder import JobFolder, JobRecord, model_name
from survey.paths import path_to_wire

_MAX_FAILURES = 100


def known_job(folder: JobFolder, record: JobRecord, config: Config) -> KnownJob:
    """What the index keeps of a job."""
    return KnownJob(
        job_id=record.job_id,
        job_folder=path_to_wire(folder.path),
        name=record.name,
        model=model_name(config.model),
        created_at=record.created_at,
    )


def describe(known: KnownJob, record: JobRecord, progress: Progress | None = None) -> Job:
    """A job as its record tells."""
    return Job(
        job_id=known.job_id,
        job_folder=known.job_folder,
        name=record.name,
        state=record.state,
        model=known.model,
        created_at=record.created_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        files_total=record.files_total,
        files_done=record.files_done,
        files_failed=record.files_failed,
        clips=record.clips,
        progress=progress,
        message=record.message,
    )


def out_of_reach(known: KnownJob, reason: str) -> Job:
    """A job whose folder cannot be read: on a drive that is not plugged in, say."""
    return Job(
        job_id=known.job_id,
        job_folder=known.job_folder,
        name=known.name,
        state="interrupted",
        model=known.model,
        created_at=known.created_at,
        message=reason,
    )


def report(job: Job, record: JobRecord, outcome: JobOutcome | None = None) -> JobReport:
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


def requeued(record: JobRecord) -> JobRecord:
    """The record of a job that is resumed: its numbers count this run."""
    return msgspec.structs.replace(
        record,
        state=follow(record.state, "queued"),
        ended_at=None,
        message=None,
        code=None,
        files_done=0,
        files_failed=0,
        files_skipped=0,
        clips=0,
        audio_seconds=0.0,
        elapsed_seconds=0.0,
    )


def existing_outputs(folder: JobFolder, config: Config) -> tuple[OutputFile, ...]:
    """The files of results that an earlier run left."""
    paths = {"csv": folder.predictions_path, "parquet": folder.predictions_parquet_path}
    wanted = [(kind, paths[kind]) for kind in config.output.formats]
    return tuple(OutputFile(format=kind, path=path_to_wire(path)) for kind, path in wanted if path.exists())
