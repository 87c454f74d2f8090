"""Bare weights of a torch network, whose config says what the file does not.

What lives here: recognising a state_dict, building the network that it belongs to. What must not: reading files
(checkpoint.py).

The classifier is OpenSoundscape's with its default spectrograms, for weights do not tell what they were trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from opensoundscape.ml.cnn import CNN
from opensoundscape.ml.cnn_architectures import list_architectures

from ml_runtime.models.names import nearest_names
from rpc.errors import ModelLoadFailed
from schemas.config import CheckpointModel

_WRAPPED_IN = ("state_dict", "model_state_dict", "weights")
_PREFIXES = ("module.", "network.", "model.", "_orig_mod.")
_DESCRIBED_BY = {
    "architecture": "architecture",
    "classes": "classes",
    "sampleRate": "sample_rate",
    "clipSeconds": "clip_seconds",
}
_SHOWN_FAULTS = 3


def bare_weights_in(content: Any) -> dict[str, torch.Tensor] | None:
    """The state_dict that `content` is, or that training programs wrap; None where it is no such thing.

    What wraps networks in training (DataParallel, Lightning, compile) puts a word before every name; it is taken off.
    """
    if not isinstance(content, dict) or "opensoundscape_version" in content:
        return None
    candidates = (content, *(content.get(name) for name in _WRAPPED_IN))
    found = next((candidate for candidate in candidates if _is_state(candidate)), None)
    return None if found is None else _without_prefix(found)


def described_by(config: CheckpointModel) -> list[str]:
    """The fields of `config` that describe bare weights and are given, by their names in the config file."""
    return [name for name, field in _DESCRIBED_BY.items() if getattr(config, field) is not None]


def build_from_weights(state: dict[str, torch.Tensor], config: CheckpointModel, path: Path, device: str) -> Any:
    """OpenSoundscape's model object with these weights.

    Raises
    ------
    ModelLoadFailed
        `config` lacks a description, names an unknown architecture, or describes another network.
    """
    lacking = [name for name in _DESCRIBED_BY if name not in described_by(config)]
    if lacking:
        message = f"{path} holds bare weights, so the config must say what they are: $.model.{lacking[0]} is missing."
        raise ModelLoadFailed(message, path=path, hint=f"Give {', '.join(_DESCRIBED_BY)}, or a whole model file.")
    check_architecture(config.architecture, path)
    assert config.classes is not None
    model = CNN(
        architecture=config.architecture,
        classes=list(config.classes),
        sample_duration=config.clip_seconds,
        sample_rate=config.sample_rate,
        channels=_channels(state),
        arch_weights=None,
        device=device,
    )
    _refuse_other_network(model.network.state_dict(), state, config, path)
    model.network.load_state_dict(state)
    return model


def check_architecture(name: Any, path: Path) -> None:
    """Raise ModelLoadFailed unless OpenSoundscape brings this architecture."""
    if name not in list_architectures():
        message = f"{path} needs the architecture {name!r}, which OpenSoundscape does not bring."
        nearest = nearest_names(str(name), list_architectures())
        meant = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
        raise ModelLoadFailed(message, path=path, hint=f"{meant}It brings {', '.join(list_architectures())}.")


def _is_state(candidate: Any) -> bool:
    return (
        isinstance(candidate, dict)
        and bool(candidate)
        and all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in candidate.items())
    )


def _without_prefix(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return _without_prefix({name.removeprefix(prefix): value for name, value in state.items()})
    return dict(state)


def _channels(state: dict[str, torch.Tensor]) -> int:
    """How many channels the network's first convolution takes: spectrograms are made with that many."""
    first = next((value for value in state.values() if value.ndim == 4), None)
    return int(first.shape[1]) if first is not None and first.shape[1] in (1, 3) else 3


def _refuse_other_network(
    wanted: dict[str, torch.Tensor], state: dict[str, torch.Tensor], config: CheckpointModel, path: Path
) -> None:
    lacking = [name for name in wanted if name not in state]
    surplus = [name for name in state if name not in wanted]
    other = [name for name in wanted if name in state and wanted[name].shape != state[name].shape]
    if not (lacking or surplus or other):
        return
    faults = [f"{name} is missing" for name in lacking] + [f"{name} is not part of it" for name in surplus]
    faults += [f"{name} is {_size(state[name])}, not {_size(wanted[name])}" for name in other]
    shown = "; ".join(sorted(faults, key=lambda fault: "missing" in fault)[:_SHOWN_FAULTS])
    assert config.classes is not None
    raise ModelLoadFailed(
        f"{path} does not hold the weights of {config.architecture} with {len(config.classes)} classes: {shown}.",
        path=path,
        hint="Check architecture and classes in the config.",
    )


def _size(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
