"""Networks in ONNX files, run by ONNX Runtime.

What lives here: what an ONNX file says of its inputs and outputs, and such a network as a Model. What must not: other
formats, or an import of onnxruntime before a file is opened.

An ONNX file holds arithmetic, not code, so it needs no trust.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_runtime.clips import ClipTimes, extended_clips
from ml_runtime.cpus import usable_cpus
from ml_runtime.models.identity import hash_files
from ml_runtime.models.protocol import ModelCard, Scores
from ml_runtime.models.waveform import read_waveform
from ml_runtime.sound import Sound
from rpc.errors import ConfigInvalid, ModelLoadFailed, OutOfMemory, RequestFailed, from_os_error
from schemas.config import OnnxModel

_TYPES: dict[str, type[np.floating[Any]]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
}


@dataclass(frozen=True, slots=True)
class _Ports:
    """Where waveforms go in and scores come out. `batch` and `samples` are None where the file leaves them open."""

    input: str
    dtype: type[np.floating[Any]]
    has_channel: bool
    batch: int | None
    samples: int | None
    output: str


class OnnxClassifier:
    """The network of an ONNX file. Raw scores are what its output says."""

    def __init__(self, session: Any, ports: _Ports, card: ModelCard) -> None:
        self.card = card
        self._session = session
        self._ports = ports

    def clip_times(self, sound: Sound, overlap_seconds: float) -> ClipTimes:
        """Every clip has full length, the last reaches beyond the end."""
        return extended_clips(sound.duration_seconds, self.card.clip_seconds, overlap_seconds)

    def prepare(self, sound: Sound, start_seconds: float, end_seconds: float) -> NDArray[np.float32]:
        """The clip's waveform, shape [samples]."""
        assert self.card.sample_rate is not None
        return read_waveform(sound, start_seconds, self.card.clip_seconds, self.card.sample_rate)

    def score(self, prepared: Sequence[NDArray[np.float32]]) -> Scores:
        """The network's output, shape [clips, classes]."""
        size = self._ports.batch or len(prepared)
        pieces = [prepared[start : start + size] for start in range(0, len(prepared), size)]
        return np.concatenate([self._forward(piece, size) for piece in pieces])

    def _forward(self, waveforms: Sequence[NDArray[np.float32]], size: int) -> Scores:
        """The scores of at most `size` clips, silence added where the file wants exactly that many."""
        batch = np.zeros((size, len(waveforms[0])), dtype=self._ports.dtype)
        batch[: len(waveforms)] = waveforms
        if self._ports.has_channel:
            batch = batch[:, np.newaxis]
        try:
            (scores,) = self._session.run([self._ports.output], {self._ports.input: batch})
        # onnxruntime's exceptions share no base of their own.
        except Exception as error:
            raise _failed(self.card.name, len(waveforms), error) from error
        scores = np.asarray(scores)[: len(waveforms)]
        if scores.shape != (len(waveforms), len(self.card.classes)):
            found = " x ".join(map(str, scores.shape[1:]))
            message = (
                f"{self.card.name} gives {found} scores a clip; the config names {len(self.card.classes)} classes."
            )
            raise ModelLoadFailed(message, hint="Name the network's classes in $.model.classes, in its order.")
        return scores if scores.dtype == np.float64 else scores.astype(np.float32)


def load_onnx(config: OnnxModel, path: Path, device: str) -> OnnxClassifier:
    """The network in the file at `path`.

    Raises
    ------
    FileMissing, PermissionRefused
        The file cannot be read.
    ModelLoadFailed
        It is no ONNX file, takes no waveforms, or gives no scores for `config.classes`.
    ConfigInvalid
        `clip_seconds` is needed, or contradicts the file.
    """
    files = (path, *_files_beside(path))
    try:
        weights = hash_files(files)
    except OSError as error:
        raise from_os_error(error, path, "read") from error
    session = _open(path, device)
    ports = _ports(session, config, path)
    card = ModelCard(
        name=path.stem,
        classes=config.classes,
        clip_seconds=_clip_seconds(config, ports),
        sample_rate=config.sample_rate,
        weights=weights,
        device="cuda" if "CUDAExecutionProvider" in session.get_providers() else "cpu",
        batch_size=ports.batch or 8,
        files=files,
    )
    model = OnnxClassifier(session, ports, card)
    # What a file says of its outputs may be open: a clip of silence shows them before any work is begun.
    model.score([np.zeros(round(card.clip_seconds * config.sample_rate), dtype=np.float32)])
    return model


def _files_beside(path: Path) -> list[Path]:
    """The weights of a large network, which exporters write into a file beside it."""
    return [beside for beside in (path.with_name(f"{path.name}.data"),) if beside.is_file()]


def check_runtime() -> Any:
    """Onnxruntime. Raises ModelLoadFailed where it is not there."""
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        hint = "Set up the ML environment again."
        raise ModelLoadFailed("ONNX files need onnxruntime, which this ML environment lacks.", hint=hint) from error


def _open(path: Path, device: str) -> Any:
    runtime = check_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = usable_cpus()
    on_gpu = device.startswith("cuda") and "CUDAExecutionProvider" in runtime.get_available_providers()
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"] if on_gpu else ["CPUExecutionProvider"]
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    # onnxruntime's exceptions share no base of their own.
    except Exception as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise ModelLoadFailed(f"{path} is no ONNX file that can be run here: {reason}.", path=path) from error


def _ports(session: Any, config: OnnxModel, path: Path) -> _Ports:
    inputs = session.get_inputs()
    shapes = ", ".join(f"{port.name} {_shown(port.shape)}" for port in inputs)
    port = inputs[0]
    has_channel = len(port.shape) == 3 and port.shape[1] in (1, "1")
    if len(inputs) != 1 or port.type not in _TYPES or not (len(port.shape) == 2 or has_channel):
        message = f"{path} takes no waveforms: its input is {shapes} ({port.type})."
        hint = "It must be [batch, samples] or [batch, 1, samples], of floating-point numbers."
        raise ModelLoadFailed(message, path=path, hint=hint)
    batch, samples = _known(port.shape[0]), _known(port.shape[-1])
    output = _output(session, len(config.classes), path)
    return _Ports(port.name, _TYPES[port.type], has_channel, batch, samples, output)


def _output(session: Any, classes: int, path: Path) -> str:
    """The output with a score for each class."""
    outputs = session.get_outputs()
    flat = [port for port in outputs if port.shape is None or len(port.shape) == 2]
    fitting = [port for port in flat if port.shape and _known(port.shape[1]) == classes]
    open_ended = [port for port in flat if not port.shape or _known(port.shape[1]) is None]
    if fitting:
        return str(fitting[0].name)
    if len(open_ended) == 1:
        return str(open_ended[0].name)
    shapes = ", ".join(f"{port.name} {_shown(port.shape)}" for port in outputs)
    message = f"{path} gives {shapes}, and none of that is a score for each of the {classes} classes in the config."
    raise ModelLoadFailed(message, path=path, hint="Name the network's classes in $.model.classes, in its order.")


def _clip_seconds(config: OnnxModel, ports: _Ports) -> float:
    if config.clip_seconds is None:
        if ports.samples is None:
            raise ConfigInvalid("$.model.clipSeconds: the ONNX file takes clips of any length, so it is needed.")
        return ports.samples / config.sample_rate
    wanted = round(config.clip_seconds * config.sample_rate)
    if ports.samples is not None and ports.samples != wanted:
        seconds = ports.samples / config.sample_rate
        raise ConfigInvalid(
            f"$.model.clipSeconds: the ONNX file takes {ports.samples} samples, which at {config.sample_rate} Hz are "
            f"{seconds:g} s, not {config.clip_seconds:g}."
        )
    return config.clip_seconds


def _known(dimension: Any) -> int | None:
    return dimension if isinstance(dimension, int) and dimension > 0 else None


def _shown(shape: Any) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape or ())}]"


def _failed(name: str, clips: int, error: Exception) -> RequestFailed:
    reason = str(error).strip().split("\n")[0].rstrip(".")
    if isinstance(error, MemoryError) or "bad_alloc" in reason or "Failed to allocate" in reason:
        message = f"There is not enough memory to score {clips} clips at once with {name}."
        return OutOfMemory(message, hint="Choose a smaller batchSize.")
    return RequestFailed(f"{name} failed while it scored clips: {reason}.")
