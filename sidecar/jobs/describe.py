"""What a job looks like to a client, whether its folder can be read or not.

What lives here: that translation. What must not: changing anything.
"""

from __future__ import annotations

import msgspec

from rpc.call import Progress
from schemas.config import Config
from schemas.jobs import Job, JobReport, OutputFile
from sidecar.jobs.index import KnownJob
from sidecar.jobs.state import follow
from survey.job_folder import JobFolder, JobRecord, model_name
from survey.job_report import describe_job
from survey.paths import path_to_wire


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
    job = describe_job(known.job_folder, known.model, record)
    return msgspec.structs.replace(job, progress=progress)


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


def as_it_was(record: JobRecord) -> JobRecord:
    """The record of a job that is resumed although nothing is left to do: its numbers stay."""
    return msgspec.structs.replace(record, state=follow(record.state, "queued"))


def did_nothing(report: JobReport, recordings: int, outputs: tuple[OutputFile, ...]) -> JobReport:
    """The answer to resuming a job of which nothing was left: every recording was done before."""
    return msgspec.structs.replace(
        report, files_done=0, files_failed=0, files_skipped=recordings, clips=0, audio_seconds=0.0,
        elapsed_seconds=0.0, realtime_factor=None, outputs=outputs,
    )  # fmt: skip


def existing_outputs(folder: JobFolder, config: Config) -> tuple[OutputFile, ...]:
    """The files of results that an earlier run left."""
    paths = {"csv": folder.predictions_path, "parquet": folder.predictions_parquet_path}
    wanted = [(kind, paths[kind]) for kind in config.output.formats]
    return tuple(OutputFile(format=kind, path=path_to_wire(path)) for kind, path in wanted if path.exists())
