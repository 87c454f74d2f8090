"""models/*: what can be run."""

from __future__ import annotations

from typing import Literal

from rpc.methods import Params
from schemas.base import Wire
from schemas.config import ModelConfig, PathText
from schemas.env import EnvironmentChoice


class ListParams(Params, frozen=True):
    """models/list: every model source, and whether it can run in this environment."""

    environment: EnvironmentChoice = EnvironmentChoice()


class ModelEntry(Wire, frozen=True):
    """A model, or a source of models. `reason` says why it is not available, naming the package that is missing.

    `name` is what a config says, `title` what people call it. `licence` and `citation` are those of its authors,
    `clip_seconds`, `sample_rate` (Hz) and `class_count` those of its default options; null where they are not known
    before it is loaded. `weights_cached` tells whether its weights are on this computer; null where it has none, or
    nobody can tell.
    """

    source: Literal["zoo", "checkpoint", "onnx", "python", "ribbit", "cwt"]
    name: str
    description: str
    available: bool
    reason: str | None = None
    title: str | None = None
    licence: str | None = None
    citation: str | None = None
    clip_seconds: float | None = None
    sample_rate: int | None = None
    class_count: int | None = None
    weights_cached: bool | None = None


class ModelList(Wire, frozen=True):
    """All models."""

    models: tuple[ModelEntry, ...]


class PrepareParams(Params, frozen=True):
    """models/prepare: fetch the weights of a zoo model, so that it can be run without a connection later.

    The model is loaded once, which proves that it can be. With other sources there is nothing to fetch.
    """

    model: ModelConfig
    environment: EnvironmentChoice = EnvironmentChoice()
    trust: bool = False


class WeightFile(Wire, frozen=True):
    """A file that a model is made from."""

    path: str
    size_bytes: int


class PreparedModel(Wire, frozen=True):
    """A model that is ready to run. `files` are those it was made from, `fetched_bytes` what was downloaded for it now.

    `weights` tells one state of the model from another, "sha256:..." where it has weights.
    """

    name: str
    weights: str
    class_count: int
    clip_seconds: float
    sample_rate: int | None
    files: tuple[WeightFile, ...]
    fetched_bytes: int


class ImportParams(Params, frozen=True):
    """models/import: take over weights that were fetched on another computer, from the cache folder at `path`.

    That is a torch cache (the folder with `hub/checkpoints`), a Hugging Face cache (with `hub/models--...`), the
    zoo's own (`bioacoustics_model_zoo`), or a folder that holds some of them. Files that are here already stay as
    they are; one of the same name but other content is a conflict, and nothing is imported, unless `overwrite` is
    given.
    """

    path: PathText
    environment: EnvironmentChoice = EnvironmentChoice()
    overwrite: bool = False


class ImportedWeights(Wire, frozen=True):
    """What models/import did. `imported` are the new files, `present` counts those that were here already."""

    imported: tuple[WeightFile, ...]
    present: int
