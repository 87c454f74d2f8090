"""inference/*: running a model over recordings."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from rpc.errors import InvalidParams
from schemas.config import Config
from schemas.jobs import JobReport, RunParams
from sidecar.environment.choose import interpreter_for
from survey.config import load_config
from survey.paths import path_from_wire

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services
    from sidecar.jobs.active import ActiveJob


def run(params: RunParams, call: Call, services: Services) -> JobReport | Future[JobReport]:
    """inference/run."""
    config = _config_of(params)
    python = interpreter_for(params.environment, services.settings.cache_folder)
    job = services.jobs.start(config, python, call.token, trust=params.trust)
    return answer(job, call, services, wait=params.wait)


def answer(job: ActiveJob, call: Call, services: Services, *, wait: bool) -> JobReport | Future[JobReport]:
    """The reply about a job: as it stands, or once it has ended; until then a cancelled request cancels the job."""
    call.begin(job.whereabouts())
    if not wait:
        return job.report()
    job.listen(call.report)
    call.token.on_cancel(lambda: _cancel(job.job_id, services))
    return job.future


def _cancel(job_id: str, services: Services) -> None:
    services.jobs.cancel(job_id)


def _config_of(params: RunParams) -> Config:
    if params.config is not None and params.config_path is None:
        return params.config
    if params.config_path is not None and params.config is None:
        return load_config(path_from_wire(params.config_path, "$.configPath")).config
    raise InvalidParams("$: give either `config` or `configPath`.")
