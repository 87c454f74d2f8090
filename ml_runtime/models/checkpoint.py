"""Model files saved by OpenSoundscape, opened without a network connection and without running their code.

What lives here: reading a model file and building the classifier in it. What must not: scoring, bare weights
(state_dict.py).

OpenSoundscape's own `load_model` unpickles whatever the file holds, and builds the architecture with ImageNet weights
that it downloads, only to overwrite them. Here the architecture is built empty, and a file's content is read with
torch's restricted unpickler. A file that holds a whole pickled object can run any code, so it is opened only for
a run that says `trust`.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from opensoundscape.ml.cnn import CNN, SpectrogramClassifier
from packaging.version import InvalidVersion, Version

from ml_runtime.models.classifier import Classifier, is_thread_safe
from ml_runtime.models.identity import hash_file
from ml_runtime.models.protocol import ModelCard
from ml_runtime.models.recipe import check_recipe
from ml_runtime.models.state_dict import bare_weights_in, build_from_weights, check_architecture, described_by
from rpc.errors import ModelLoadFailed, from_os_error
from schemas.config import CheckpointModel

_CLASSES: dict[str, type[Any]] = {
    "opensoundscape.ml.cnn.CNN": CNN,
    "opensoundscape.ml.cnn.SpectrogramClassifier": SpectrogramClassifier,
    "opensoundscape.torch.models.cnn.CNN": CNN,
}
"""The classes whose constructor does nothing but build; the zoo's own fetch weights (zoo.py)."""

_ALLOWED_GLOBALS: list[Any] = [np.float32, np.float64]
"""What OpenSoundscape's files name besides tensors: the type of the samples that a clip is read as."""

_TRUST_HINT = (
    "If you know where the file comes from, allow it: `trust: true` in inference/run, or --trust of inference.py. "
    "Or save the model again with OpenSoundscape's `model.save(path)`, without pickle=True."
)


def load_checkpoint(config: CheckpointModel, path: Path, device: str, *, trust: bool, version: str) -> Classifier:
    """The classifier in the file at `path`. `version` is OpenSoundscape's.

    Raises
    ------
    FileMissing, PermissionRefused
        The file cannot be read.
    ModelLoadFailed
        It is no model file, needs trust, or names what this OpenSoundscape does not have; or `config` describes a
        network that is not the one in it.
    """
    try:
        weights = hash_file(path)
    except OSError as error:
        raise from_os_error(error, path, "read") from error
    content = _read(path, trust=trust)
    bare = bare_weights_in(content)
    notes: tuple[str, ...] = ()
    if bare is not None:
        model = build_from_weights(bare, config, path, device)
    else:
        _refuse_description(config, path)
        model, notes = _build(content, path, device, trust=trust, version=version)
    card = ModelCard(
        name=path.stem,
        classes=tuple(str(name) for name in model.classes),
        clip_seconds=float(model.sample_duration),
        sample_rate=model.sample_rate,
        weights=weights,
        device=device,
        thread_safe=is_thread_safe(model.preprocessor),
        files=(path,),
        notes=notes,
    )
    return Classifier(model, card)


def _read(path: Path, *, trust: bool) -> Any:
    """The content of a model file, by the restricted unpickler where that can."""
    try:
        with torch.serialization.safe_globals(_ALLOWED_GLOBALS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _looks_like_torch(path):
            raise _no_model(path) from error
        if not trust:
            message = f"{path} holds a whole pickled Python object; opening it runs whatever code it brings."
            raise ModelLoadFailed(message, path=path, hint=_TRUST_HINT) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise _no_model(path) from error
    return _unpickle(path)


def _unpickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    # Unpickling runs the file's code: it may raise anything.
    except Exception as error:
        message = f"{path} cannot be unpickled here: {_first_line(error)}."
        hint = "It may need the version of OpenSoundscape that it was saved with."
        raise ModelLoadFailed(message, path=path, hint=hint) from error


def _build(content: Any, path: Path, device: str, *, trust: bool, version: str) -> tuple[Any, tuple[str, ...]]:
    """OpenSoundscape's model object, and what to tell about it."""
    if not isinstance(content, dict):
        if not (trust and hasattr(content, "network") and hasattr(content, "preprocessor")):
            raise _no_model(path)
        return content, _other_version(getattr(content, "opensoundscape_version", None), version)
    if "weights" not in content or "opensoundscape_version" not in content:
        raise _no_model(path)
    try:
        with warnings.catch_warnings():
            # They are for people who go on training: about augmentations that files do not hold.
            warnings.simplefilter("ignore")
            model = _build_from_parts(dict(content), path, device)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, AssertionError, InvalidVersion) as error:
        message = f"{path} does not fit this version of OpenSoundscape ({version}): {_first_line(error)}."
        raise ModelLoadFailed(message, path=path) from error
    return model, _other_version(content["opensoundscape_version"], version)


def _build_from_parts(parts: dict[str, Any], path: Path, device: str) -> Any:
    """What OpenSoundscape's `load_model` does with a dict, but with an architecture built empty."""
    saved_by = Version(str(parts.pop("opensoundscape_version")))
    state = parts.pop("weights")
    constructor = _constructor(parts.pop("class", "opensoundscape.ml.cnn.CNN"), path)
    check_architecture(parts.get("architecture"), path)
    check_recipe(parts["preprocessor_dict"], path)
    if saved_by >= Version("0.13.0"):
        model = constructor(**parts, device=device, arch_weights=None)
        model.network.load_state_dict(state)
        return model
    _bring_recipe_up_to_0_13(parts["preprocessor_dict"])
    model = constructor(**{**parts, "sample_rate": None}, device=device, arch_weights=None)
    first_bias = state.pop("conv1.bias", None)
    model.network.load_state_dict(state)
    if first_bias is not None:
        model.network.conv1.bias = torch.nn.Parameter(first_bias)
    if saved_by < Version("0.7.0"):
        model.preprocessor.pipeline.to_tensor.set(invert=True)
    return model


def _bring_recipe_up_to_0_13(recipe: dict[str, Any]) -> None:
    """The changes that OpenSoundscape 0.13 itself makes to preprocessors saved before it."""
    recipe["init_kwargs"] |= {"sample_rate": None, "use_legacy_spectrogram": True}
    recipe["pipeline"]["overlay"]["params"]["break_on_key"] = "overlay"
    recipe["pipeline"]["load_audio"]["params"].pop("sample_rate")


def _refuse_description(config: CheckpointModel, path: Path) -> None:
    """A file that describes itself must not be described otherwise."""
    if described_by(config):
        message = f"{path} holds no bare weights, so $.model.{described_by(config)[0]} cannot be given for it."
        raise ModelLoadFailed(message, path=path, hint="Leave out all but `path`: a model file describes itself.")


def _constructor(name: str, path: Path) -> type[Any]:
    if name not in _CLASSES:
        message = f"{path} holds a model of the class {name}, which cannot be built from a file alone."
        raise ModelLoadFailed(message, path=path, hint="If the model zoo has it, name it there: source `zoo`.")
    return _CLASSES[name]


def _other_version(saved_by: Any, version: str) -> tuple[str, ...]:
    if str(saved_by) == version:
        return ()
    return (
        f"The model was saved by OpenSoundscape {saved_by}; this is {version}. Check that its scores are as before.",
    )


def _looks_like_torch(path: Path) -> bool:
    """Whether torch wrote the file: a zip archive today, a bare pickle before torch 1.6."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    with path.open("rb") as stream:
        return stream.read(1) == b"\x80"


def _no_model(path: Path) -> ModelLoadFailed:
    return ModelLoadFailed(
        f"{path} is no model file saved by OpenSoundscape.",
        path=path,
        hint="OpenSoundscape's `model.save(path)` writes one. Bare weights (a state_dict) are read too.",
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
