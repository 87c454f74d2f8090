"""env/*: the ML environment, from archive to interpreter."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rpc.methods import Params
from schemas.base import Input, Wire

PathText = Annotated[str, Meta(min_length=1)]
Status = Literal["ready", "missing", "incomplete", "broken"]


class EnvironmentChoice(Input, frozen=True):
    """Which interpreter runs the models: an environment's `folder`, or a `python` of the user's own.

    With neither, the default folder is used.
    """

    folder: PathText | None = None
    python: PathText | None = None


class CheckParams(Params, frozen=True):
    """env/check: whether the environment in `folder` can be used. `deep` verifies files and imports packages."""

    folder: PathText | None = None
    deep: bool = False


class SetupParams(Params, frozen=True):
    """env/setup: extract `archive`, verify it, and make it the environment in `folder`.

    `sha256` (hex) is what the archive must have. `force` replaces an environment that is already there.
    """

    folder: PathText | None = None
    archive: PathText | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")] | None = None
    force: bool = False


class Environment(Wire, frozen=True):
    """The state of an environment. `packages` maps names to versions; `problem` says what is wrong with it."""

    status: Status
    folder: str
    python_path: str | None = None
    python_version: str | None = None
    packages: dict[str, str] = {}
    size_bytes: int | None = None
    problem: str | None = None
