"""A config's `model` by itself: fields that are right each, but not together.

What lives here: what can be said of a model before it is loaded. What must not: the rest of the config (config.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rpc.errors import ModelLoadFailed
from schemas.config import (
    CheckpointModel,
    ConfigProblem,
    CwtModel,
    ModelConfig,
    OnnxModel,
    PythonModel,
    RibbitModel,
)

_BARE_WEIGHTS = {
    "architecture": "architecture",
    "classes": "classes",
    "sampleRate": "sample_rate",
    "clipSeconds": "clip_seconds",
}


def known_clip_seconds(model: ModelConfig) -> float | None:
    """The length of the model's clips, where its config says it."""
    if isinstance(model, CwtModel):
        return model.window_len
    return model.clip_seconds if isinstance(model, RibbitModel | OnnxModel | CheckpointModel) else None


def known_classes(model: ModelConfig) -> tuple[str, ...] | None:
    """The model's classes, where its config says them."""
    if isinstance(model, RibbitModel | CwtModel):
        return (model.class_name,)
    return model.classes if isinstance(model, OnnxModel | CheckpointModel) else None


def refuse_untrusted(model: ModelConfig, *, trust: bool) -> None:
    """Raise ModelLoadFailed where the model is a program, and the run does not say that it may be run."""
    if isinstance(model, PythonModel) and not trust:
        message = f"{model.path} is a Python program; loading the model in it runs its code."
        hint = "If you know what it does, allow it: `trust: true` in inference/run, or --trust of inference.py."
        raise ModelLoadFailed(message, path=model.path, hint=hint)


def model_contradictions(model: ModelConfig) -> Iterator[ConfigProblem]:
    """What stands in the way of this model, whatever it is run on."""
    if isinstance(model, RibbitModel):
        yield from _ribbit_contradictions(model)
    elif isinstance(model, CwtModel):
        yield from _cwt_contradictions(model)
    elif isinstance(model, CheckpointModel):
        yield from _half_described(model)
    if isinstance(model, CheckpointModel | OnnxModel):
        yield from _repeated_classes(model.classes or ())


def _ribbit_contradictions(model: RibbitModel) -> Iterator[ConfigProblem]:
    bands = {"signalBandHz": model.signal_band_hz, "pulseRateHz": model.pulse_rate_hz}
    bands |= {f"noiseBandsHz[{index}]": band for index, band in enumerate(model.noise_bands_hz)}
    for name, (low, high) in bands.items():
        if not low < high:
            message = f"The lower end ({low:g} Hz) must be below the upper ({high:g} Hz)."
            yield ConfigProblem(path=f"$.model.{name}", message=message)


def _cwt_contradictions(model: CwtModel) -> Iterator[ConfigProblem]:
    ranges = {
        "dtRange": model.dt_range,
        "dyRange": model.dy_range,
        "d2yRange": model.d2y_range,
        "durationRange": model.duration_range,
        "pointsRange": model.points_range,
    }
    for name, (low, high) in ranges.items():
        if not low <= high:
            message = f"The lower end ({low:g}) must not be above the upper ({high:g})."
            yield ConfigProblem(path=f"$.model.{name}", message=message)
    if model.center_frequency > model.sample_rate / 2:
        message = f"Sound at {model.sample_rate} Hz holds nothing above {model.sample_rate / 2:g} Hz; choose less."
        yield ConfigProblem(path="$.model.centerFrequency", message=message)


def _half_described(model: CheckpointModel) -> Iterator[ConfigProblem]:
    lacking = [name for name, field in _BARE_WEIGHTS.items() if getattr(model, field) is None]
    if 0 < len(lacking) < len(_BARE_WEIGHTS):
        message = f"Bare weights need {', '.join(_BARE_WEIGHTS)}, all of them; a model file none of them."
        yield ConfigProblem(path=f"$.model.{lacking[0]}", message=message)


def _repeated_classes(classes: tuple[str, ...]) -> Iterator[ConfigProblem]:
    for name, count in Counter(classes).items():
        if count > 1:
            yield ConfigProblem(path="$.model.classes", message=f"The class {name!r} is named {count} times.")
