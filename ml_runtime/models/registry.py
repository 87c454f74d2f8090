"""From a config's `model` to a loaded Model, kept warm between jobs.

What lives here: choosing the loader, keeping the last model, telling what can run. What must not: loading (the
modules of each source), or an import of torch before a model is asked for.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from ml_runtime.compat import importing, make_importable
from ml_runtime.models.downloads import Watch
from ml_runtime.models.names import nearest_names
from ml_runtime.models.protocol import Model
from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, ModelNotFound, from_os_error
from schemas.config import CwtModel, ModelConfig, OnnxModel, PythonModel, RibbitModel, ZooModel
from schemas.models import ModelEntry, ModelList, PreparedModel, WeightFile
from survey.paths import path_from_wire, path_to_wire

Tell = Callable[[str], None]

_POLL_SECONDS = 0.05
_PLACE = "$.model.path"
_RIBBIT = (
    "Lapp, S. et al. (2021): Automated detection of frog calls and choruses by pulse repetition rate. Conservation "
    "Biology 35(5), 1659-1668."
)
_CWT = (
    "Lapp, S. et al. (2022): Automated recognition of ruffed grouse drumming in field recordings. Wildlife Society "
    "Bulletin 46(5), e1395."
)
_SOURCES = (
    ModelEntry(
        source="ribbit",
        name="RIBBIT",
        title="RIBBIT",
        description="Finds calls that pulse at a known rate (OpenSoundscape's pulse-rate detector); needs no weights.",
        available=True,
        licence="MIT",
        citation=_RIBBIT,
        clip_seconds=5.0,
        class_count=1,
    ),
    ModelEntry(
        source="cwt",
        name="CWT",
        title="Accelerating pulse sequences (CWT)",
        description="Finds pulses that follow ever faster, as a Ruffed Grouse drums (OpenSoundscape's detector); "
        "needs no weights.",
        available=True,
        licence="MIT",
        citation=_CWT,
        clip_seconds=10.0,
        sample_rate=400,
        class_count=1,
    ),
    ModelEntry(
        source="checkpoint",
        name="OpenSoundscape model file",
        title="OpenSoundscape model file, or bare torch weights",
        description="A classifier saved by OpenSoundscape: give the path of its file. Bare weights (a state_dict) "
        "need architecture, classes, sampleRate and clipSeconds too.",
        available=True,
    ),
    ModelEntry(
        source="onnx",
        name="ONNX file",
        title="ONNX file",
        description="A network that takes waveforms: give its path, classes and sampleRate.",
        available=True,
    ),
    ModelEntry(
        source="python",
        name="Python file",
        title="Your own Python model",
        description="A class in a Python file, as docs/models.md shows; runs only with trust.",
        available=True,
    ),
)


_Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A loaded model, and what it was loaded from."""

    key: _Key
    model: Model


class ModelProvider:
    """Gives models, and keeps the last one, so that the next job with the same model starts at once."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._lock = threading.Lock()

    def load(self, config: ModelConfig, device: str, *, trust: bool, token: CancelToken, tell: Tell) -> Model:
        """The model that `config` names, on `device` (auto, cpu, cuda, cuda:1, mps).

        Loading may wait where nobody can interrupt it; when the token goes up it is left behind.

        Raises
        ------
        rpc.errors.ModelNotFound, rpc.errors.ModelLoadFailed, rpc.errors.FileMissing
        rpc.errors.EnvironmentNotReady
        rpc.errors.ConfigInvalid
            There is no such device here.
        rpc.errors.RequestCancelled
        """
        # Before anything is imported: a wrong path is told at once.
        key = _key(config, device, trust=trust)
        with self._lock:
            if self._kept is not None and self._kept.key == key:
                return self._kept.model
            self._kept = None
        tell("loading the model")
        watch = Watch(token, lambda name, done, total: tell(f"fetching {name}: {_megabytes(done, total)}"))
        return self._load_anew(key, config, device, watch, trust=trust)

    def prepare(
        self, config: ModelConfig, *, trust: bool, token: CancelToken, on_progress: Callable[[Progress], None]
    ) -> PreparedModel:
        """Fetch what the model needs, and prove that it loads. It is kept, as `load` keeps it. Raises as `load`."""
        watch = Watch(token, lambda name, done, total: on_progress(_bytes_of(name, done, total)))
        on_progress(Progress(message="loading the model"))
        key = _key(config, "auto", trust=trust)
        with self._lock:
            self._kept = None
        card = self._load_anew(key, config, "auto", watch, trust=trust).card
        return PreparedModel(
            name=card.name,
            weights=card.weights,
            class_count=len(card.classes),
            clip_seconds=card.clip_seconds,
            sample_rate=card.sample_rate,
            files=tuple(WeightFile(path=path_to_wire(path), size_bytes=path.stat().st_size) for path in card.files),
            fetched_bytes=watch.fetched_bytes,
        )

    def _load_anew(self, key: _Key, config: ModelConfig, device: str, watch: Watch, *, trust: bool) -> Model:
        model = _interruptible(lambda: _load(config, device, watch, trust=trust), watch.token)
        with self._lock:
            self._kept = _Kept(key, model)
        return model


def list_models() -> ModelList:
    """Every model source, and whether it can run here."""
    make_importable()
    sources = [_without_runtime(entry) if entry.source == "onnx" else entry for entry in _SOURCES]
    return ModelList(models=(*sources, *_module("zoo").describe_zoo()))


def check_model(config: ModelConfig, device: str) -> None:
    """Refuse a model that cannot run in this environment or on `device`; nothing is loaded or fetched.

    Raises
    ------
    rpc.errors.ModelNotFound, rpc.errors.ModelLoadFailed
        The zoo has no such model, it lacks packages or has no such option; ONNX files cannot be run here.
    rpc.errors.ConfigInvalid
        There is no such device.
    rpc.errors.EnvironmentNotReady
    """
    make_importable()
    choose_device(device)
    if isinstance(config, ZooModel):
        _check_name(config, _module("zoo").zoo_classes())
        _module("zoo").check_zoo_model(config)
    elif isinstance(config, OnnxModel):
        _module("onnx").check_runtime()


def _without_runtime(entry: ModelEntry) -> ModelEntry:
    if importlib.util.find_spec("onnxruntime") is not None:
        return entry
    reason = "ONNX files need a package that is not in this ML environment: onnxruntime."
    return msgspec.structs.replace(entry, available=False, reason=reason)


def _load(config: ModelConfig, device: str, watch: Watch, *, trust: bool) -> Model:
    make_importable()
    version = importlib.metadata.version("opensoundscape")
    if isinstance(config, RibbitModel):
        ribbit: Model = _module("ribbit").Ribbit(config, version)
        return ribbit
    if isinstance(config, CwtModel):
        cwt: Model = _module("cwt").Cwt(config, version)
        return cwt
    chosen = choose_device(device)
    if isinstance(config, ZooModel):
        _check_name(config, _module("zoo").zoo_classes())
        from_zoo: Model = _module("zoo").load_zoo_model(config, chosen, watch)
        return from_zoo
    path = path_from_wire(config.path, _PLACE)
    if isinstance(config, OnnxModel):
        network: Model = _module("onnx").load_onnx(config, path, chosen)
        return network
    if isinstance(config, PythonModel):
        own: Model = _module("own").load_own(config, path, chosen, trust=trust)
        return own
    checkpoint: Model = _module("checkpoint").load_checkpoint(config, path, chosen, trust=trust, version=version)
    return checkpoint


def _module(name: str) -> Any:
    """A source's module, imported when the first model of it is asked for: they bring libraries of their own."""
    with importing:
        return importlib.import_module(f"ml_runtime.models.{name}")


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


def _check_name(config: ZooModel, known: dict[str, Any]) -> None:
    if config.name in known:
        return
    nearest = nearest_names(config.name, known)
    hint = f"Did you mean {' or '.join(nearest)}?" if nearest else f"It has {', '.join(sorted(known))}."
    raise ModelNotFound(f"The model zoo has no model named {config.name}.", hint=hint)


def _key(config: ModelConfig, device: str, *, trust: bool) -> _Key:
    """What two loads must have in common to give the same model."""
    return msgspec.json.encode(config), device, trust, _state_of_file(config)


def _bytes_of(name: str, done: int, total: int | None) -> Progress:
    percentage = 100 * done / total if total else None
    return Progress(message=f"fetching {name}", done=done, total=total, unit="bytes", percentage=percentage)


def _megabytes(done: int, total: int | None) -> str:
    return f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"


def _state_of_file(config: ModelConfig) -> tuple[int, int] | None:
    """Size and mtime of a model file: a new file under the old name is another model. Raises FileMissing."""
    if isinstance(config, ZooModel | RibbitModel | CwtModel):
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
