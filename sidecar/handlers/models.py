"""models/*: what can be run, and having it at hand."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from rpc.call import Progress
from schemas.env import EnvironmentChoice
from schemas.models import ImportedWeights, ImportParams, ListParams, ModelList, PreparedModel, PrepareParams
from schemas.worker import ImportWeightsParams, PrepareModelParams
from sidecar.environment.choose import interpreter_for
from survey.config import normalised_model, raise_for
from survey.model_config import model_contradictions
from survey.paths import path_from_wire, path_to_wire

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def list(params: ListParams, call: Call, services: Services) -> Future[ModelList]:
    """models/list. The environment's own interpreter knows; it takes seconds to start, and stays warm."""
    return services.jobs.models(_interpreter(params.environment, call, services), call.token)


def prepare(params: PrepareParams, call: Call, services: Services) -> Future[PreparedModel]:
    """models/prepare. Bytes are told as they come."""
    raise_for([*model_contradictions(params.model)])
    asked = PrepareModelParams(model=normalised_model(params.model, Path.cwd()), trust=params.trust)
    python = _interpreter(params.environment, call, services)
    return services.jobs.prepare_model(python, asked, call.token, call.report)


def import_(params: ImportParams, call: Call, services: Services) -> Future[ImportedWeights]:
    """models/import. The environment's own libraries know where they look for weights."""
    folder = path_to_wire(path_from_wire(params.path))
    asked = ImportWeightsParams(path=folder, overwrite=params.overwrite)
    python = _interpreter(params.environment, call, services)
    return services.jobs.import_weights(python, asked, call.token, call.report)


def _interpreter(choice: EnvironmentChoice, call: Call, services: Services) -> Path:
    python = interpreter_for(choice, services.settings.cache_folder)
    if not services.jobs.is_warm(python):
        call.report(Progress(message="starting the ML environment"))
    return python
