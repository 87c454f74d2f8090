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
    """env/check: whether the environment in `folder`, or the interpreter `python`, can be used.

    Without `deep` only the marker and a few files are looked at. `deep` compares every file with what was in the
    archive and really imports the packages, which takes seconds.
    """

    folder: PathText | None = None
    python: PathText | None = None
    deep: bool = False


class SetupParams(Params, frozen=True):
    """env/setup: extract `archive` (.tar.gz, .tar.zst or .zip), verify it, and make it the environment in `folder`.

    `url` (https) is downloaded first; a download that broke off is gone on with. Where `archive` is a folder, or `url`
    ends with a slash, this computer's archive there is taken: `dipper_pytorch_env-<platform>-<cpu or cuda>.tar.gz`,
    cuda where an NVIDIA driver is found. With neither, one of those that came with the application. `sha256` (hex) is
    what the archive must have; for a `url` without it, the sum that is published beside it (`<url>.sha256`) is taken.
    An environment that is ready and was made from this same archive is left as it is, unless `force` is given; one
    made from another archive is replaced.
    """

    folder: PathText | None = None
    archive: PathText | None = None
    url: PathText | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")] | None = None
    force: bool = False


class RemoveParams(Params, frozen=True):
    """env/remove: delete the environment in `folder`, and only what env/setup made."""

    folder: PathText | None = None


class RemovedEnvironment(Wire, frozen=True):
    """What env/remove has freed. `kept` lists files in the folder that are not the environment's own."""

    folder: str
    freed_bytes: int
    kept: tuple[str, ...] = ()


class Environment(Wire, frozen=True):
    """The state of an environment.

    "missing": nothing is there. "incomplete": it is being set up, its setting up was interrupted, or packages are
    lacking. "broken": it is there, but cannot be used. `problem` says why. `packages` maps names to versions,
    `size_bytes` counts its files' contents, `libpython_path` is where its Python library was loaded from (deep checks
    and env/setup, on Linux).
    """

    status: Status
    folder: str
    python_path: str | None = None
    python_version: str | None = None
    packages: dict[str, str] = {}
    size_bytes: int | None = None
    libpython_path: str | None = None
    problem: str | None = None
