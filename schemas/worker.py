"""worker/*: what the sidecar asks of an ml_runtime worker. Not offered to clients."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rpc.methods import Params
from schemas.base import Wire
from schemas.config import ModelConfig
from schemas.jobs import Failure, OutputFile
from schemas.models import ImportedWeights, ModelList, PreparedModel

PathText = Annotated[str, Meta(min_length=1)]


class DescribeParams(Params, frozen=True):
    """worker/describe: which interpreter this is, and whether the ML packages really import."""


class WorkerDescription(Wire, frozen=True):
    """The interpreter. `packages` were really imported; `libpython` is the path of the library it runs on."""

    python_path: str
    python_version: str
    packages: dict[str, str]
    devices: tuple[str, ...]
    libpython: str | None = None


class ModelsParams(Params, frozen=True):
    """worker/models: every model source, and whether it can run here."""


class CheckModelParams(Params, frozen=True):
    """worker/check: whether the model can run in this environment and on `device`, as far as that is known unloaded."""

    model: ModelConfig
    device: str = "auto"


class PrepareModelParams(Params, frozen=True):
    """worker/prepare: see models/prepare."""

    model: ModelConfig
    trust: bool = False


class ImportWeightsParams(Params, frozen=True):
    """worker/import: see models/import."""

    path: PathText
    overwrite: bool = False


class RunJobParams(Params, frozen=True):
    """worker/run: score what the config in `job_folder` names and the folder's parts do not hold yet.

    The caller holds the lock of the folder. How models run fastest here is remembered in `cache_folder`, where given.
    """

    job_folder: PathText
    trust: bool = False
    cache_folder: PathText | None = None


class JobOutcome(Wire, frozen=True):
    """What a run of the worker did; see JobReport for the fields."""

    state: Literal["completed", "failed"]
    files_total: int
    files_done: int
    files_failed: int
    files_skipped: int
    clips: int
    audio_seconds: float
    elapsed_seconds: float
    outputs: tuple[OutputFile, ...]
    failures: tuple[Failure, ...]
    files_added: int = 0


__all__ = [
    "CheckModelParams",
    "DescribeParams",
    "ImportWeightsParams",
    "ImportedWeights",
    "JobOutcome",
    "ModelList",
    "ModelsParams",
    "PrepareModelParams",
    "PreparedModel",
    "RunJobParams",
    "WorkerDescription",
]
