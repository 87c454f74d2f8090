"""models/*: what can be run."""

from __future__ import annotations

from typing import Literal

from rpc.methods import Params
from schemas.base import Wire
from schemas.env import EnvironmentChoice


class ListParams(Params, frozen=True):
    """models/list: every model source, and whether it can run in this environment."""

    environment: EnvironmentChoice = EnvironmentChoice()


class ModelEntry(Wire, frozen=True):
    """A model. `reason` says why it is not available, naming the package that is missing."""

    source: Literal["zoo", "checkpoint", "ribbit"]
    name: str
    description: str
    available: bool
    reason: str | None = None


class ModelList(Wire, frozen=True):
    """All models."""

    models: tuple[ModelEntry, ...]
