"""From a config's `model` to a loaded Model, kept warm between jobs.

What lives here: choosing the loader, keeping the last model, telling what can run. What must not: loading (the
modules of each source), or an import of torch before a model is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from ml_runtime.compat import make_importable
from ml_runtime.models.protocol import Model
from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, ModelNotFound, from_os_error
from schemas.config import CheckpointModel, ModelConfig, RibbitModel, ZooModel
from schemas.models import ModelEntry, ModelList
from survey.paths import path_from_wire

Tell = Callable[[str], None]

_POLL_SECONDS = 0.05
_PLACE = "$.model.path"
_SOURCES = (
    ModelEntry(
        source="ribbit",
        name="RIBBIT",
        description="Finds calls that pulse at a known rate (OpenSoundscape's pulse-rate detector); needs no weights.",
        available=True,
    ),
    ModelEntry(
        source="checkpoint",
        name="OpenSoundscape model file",
        description="A classifier saved by OpenSoundscape: give the path of its file.",
        available=True,
    ),
)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A loaded model, and what it was loaded from."""

    key: tuple[Any, ...]
    model: Model


class ModelProvider:
    """Gives models, and keeps the last one, so that the next job with the same model starts at once."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._lock = threading.Lock()

    def load(self, config: ModelConfig, device: str, *, trust: bool, token: CancelToken, tell: Tell) -> Model:
        """The model that `config` names, on `device` (auto, cpu, cuda, cuda:1, mps).

        Loading may wait for a download that nobody can interrupt; when the token goes up it is left behind.

        Raises
        ------
        rpc.errors.ModelNotFound, rpc.errors.ModelLoadFailed, rpc.errors.FileMissing
        rpc.errors.EnvironmentNotReady
        rpc.errors.ConfigInvalid
            There is no such device here.
        rpc.errors.RequestCancelled
        """
        # Before anything is imported: a wrong path is told at once.
        key = (msgspec.json.encode(config), device, trust, _state_of_file(config))
        with self._lock:
            if self._kept is not None and self._kept.key == key:
                return self._kept.model
            self._kept = None
        tell("loading the model")
        model = _interruptible(lambda: _load(config, device, trust=trust), token)
        with self._lock:
            self._kept = _Kept(key, model)
        return model


def list_models() -> ModelList:
    """Every model source, and whether it can run here."""
    make_importable()
    zoo = importlib.import_module("ml_runtime.models.zoo")
    return ModelList(models=(*_SOURCES, *zoo.describe_zoo()))


def _load(config: ModelConfig, device: str, *, trust: bool) -> Model:
    make_importable()
    version = importlib.metadata.version("opensoundscape")
    if isinstance(config, RibbitModel):
        ribbit: Model = importlib.import_module("ml_runtime.models.ribbit").Ribbit(config, version)
        return ribbit
    chosen = choose_device(device)
    if isinstance(config, CheckpointModel):
        load_checkpoint = importlib.import_module("ml_runtime.models.checkpoint").load_checkpoint
        checkpoint: Model = load_checkpoint(path_from_wire(config.path, _PLACE), chosen, trust=trust, version=version)
        return checkpoint
    zoo = importlib.import_module("ml_runtime.models.zoo")
    _check_name(config, zoo.zoo_classes())
    model: Model = zoo.load_zoo_model(config, chosen)
    return model


def choose_device(wanted: str) -> str:
    """The torch device to use: with `auto` the GPU where there is one. Raises ConfigInvalid."""
    torch = importlib.import_module("torch")
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda" if has_cuda else "mps" if has_mps else "cpu"
    known = ["cpu", *(["mps"] if has_mps else [])]
    known += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))] if has_cuda else []
    if wanted not in known:
        raise ConfigInvalid(f"$.inference.device: there is no {wanted} here. There is {', '.join(known)}.")
    return wanted


def nearest_names(wanted: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `wanted`, regardless of case."""
    by_folded = {name.casefold(): name for name in known}
    folded = difflib.get_close_matches(wanted.casefold(), by_folded, n=count, cutoff=0.5)
    return [by_folded[name] for name in folded]


def _check_name(config: ZooModel, known: dict[str, Any]) -> None:
    if config.name in known:
        return
    nearest = nearest_names(config.name, known)
    hint = f"Did you mean {' or '.join(nearest)}?" if nearest else f"It has {', '.join(sorted(known))}."
    raise ModelNotFound(f"The model zoo has no model named {config.name}.", hint=hint)


def _state_of_file(config: ModelConfig) -> tuple[int, int] | None:
    """Size and mtime of a model file: a new file under the old name is another model. Raises FileMissing."""
    if not isinstance(config, CheckpointModel):
        return None
    try:
        status = path_from_wire(config.path, _PLACE).stat()
    except OSError as error:
        raise from_os_error(error, config.path, "read") from error
    return status.st_size, status.st_mtime_ns


def _interruptible(load: Callable[[], Model], token: CancelToken) -> Model:
    """Run `load` on a thread of its own, so that a cancel is heeded even while a download hangs."""
    outcome: list[Model | BaseException] = []
    finished = threading.Event()

    def run() -> None:
        try:
            outcome.append(load())
        except BaseException as error:  # noqa: BLE001  (handed to the thread that waits)
            outcome.append(error)
        finished.set()

    threading.Thread(target=run, name="model loader", daemon=True).start()
    while not finished.wait(_POLL_SECONDS):
        token.raise_if_cancelled()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
