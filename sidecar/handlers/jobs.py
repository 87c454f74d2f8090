"""jobs/*: what became of runs, and going on with them."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from schemas.jobs import (
    CancelParams,
    FailuresParams,
    GetParams,
    Job,
    JobFailures,
    JobList,
    JobLog,
    JobReport,
    ListParams,
    LogParams,
    Removed,
    RemoveParams,
    ResumeParams,
)
from sidecar.environment.choose import interpreter_for
from sidecar.handlers.inference import answer

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def resume(params: ResumeParams, call: Call, services: Services) -> JobReport | Future[JobReport]:
    """jobs/resume."""
    folder = services.jobs.folder_of(params.job_id, params.job_folder)
    python = interpreter_for(params.environment, services.settings.cache_folder)
    job = services.jobs.resume(folder, python, call.token, trust=params.trust)
    return answer(job, call, services, wait=params.wait)


def list(params: ListParams, call: Call, services: Services) -> JobList:
    """jobs/list."""
    return JobList(jobs=services.jobs.list(params.state, params.limit))


def get(params: GetParams, call: Call, services: Services) -> Job:
    """jobs/get."""
    return services.jobs.get(params.job_id)


def cancel(params: CancelParams, call: Call, services: Services) -> Job:
    """jobs/cancel."""
    return services.jobs.cancel(params.job_id)


def remove(params: RemoveParams, call: Call, services: Services) -> Removed:
    """jobs/remove."""
    return Removed(freed_bytes=services.jobs.remove(params.job_id, delete_files=params.delete_files))


def log(params: LogParams, call: Call, services: Services) -> JobLog:
    """jobs/log."""
    return JobLog(lines=services.jobs.log_of(params.job_id, params.tail))


def failures(params: FailuresParams, call: Call, services: Services) -> JobFailures:
    """jobs/failures."""
    told = services.jobs.failures_of(params.job_id)
    return JobFailures(failures=told[: params.limit], total=len(told))
