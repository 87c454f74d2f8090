"""models/*: what can be run."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from rpc.call import Progress
from schemas.models import ListParams, ModelList
from sidecar.environment.choose import interpreter_for

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def list(params: ListParams, call: Call, services: Services) -> Future[ModelList]:
    """models/list. The environment's own interpreter knows; it takes seconds to start, and stays warm."""
    python = interpreter_for(params.environment, services.settings.cache_folder)
    if not services.jobs.is_warm(python):
        call.report(Progress(message="starting the ML environment"))
    return services.jobs.models(python, call.token)
