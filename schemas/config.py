"""config/*: the config file of an inference run, and the methods that save, load and validate it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from rpc.methods import Params
from schemas.base import BandHz, Input, NonNegative, Wire

Name = Annotated[str, Meta(min_length=1, max_length=200)]
PathText = Annotated[str, Meta(min_length=1)]
OutputFormat = Literal["csv", "parquet"]
Device = Annotated[str, Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or cuda:1")]


class ZooModel(Input, frozen=True, tag_field="source", tag="zoo"):
    """A class of the bioacoustics-model-zoo, by name; `options` are its keyword arguments."""

    name: Name
    options: dict[str, Any] = {}


class CheckpointModel(Input, frozen=True, tag_field="source", tag="checkpoint"):
    """A model file saved by OpenSoundscape."""

    path: PathText


class RibbitModel(Input, frozen=True, tag_field="source", tag="ribbit"):
    """RIBBIT, the pulse-rate detector of OpenSoundscape (Lapp et al. 2021, Methods in Ecology and Evolution).

    `signal_band_hz` holds the call, `pulse_rate_hz` the pulses per second sought, `noise_bands_hz` bands
    whose energy is subtracted; the lower end of each lies below the upper. Clips are 0.05 to 3600 s long.
    `spectrogram_window_samples` is the window of the amplitude envelope.
    """

    class_name: Name
    signal_band_hz: BandHz
    pulse_rate_hz: BandHz
    noise_bands_hz: tuple[BandHz, ...] = ()
    clip_seconds: Annotated[float, Meta(ge=0.05, le=3600)] = 5.0
    spectrogram_window_samples: Annotated[int, Meta(ge=16, le=65536)] = 512


ModelConfig = ZooModel | CheckpointModel | RibbitModel


class InputConfig(Input, frozen=True):
    """The recordings: files, all recordings below folders, and glob patterns. A recording counts once.

    Files come first, in the order given, then the others in natural order.
    """

    files: tuple[PathText, ...] = ()
    folders: tuple[PathText, ...] = ()
    patterns: tuple[PathText, ...] = ()


class OutputConfig(Input, frozen=True):
    """Where results go and in which forms.

    `layout` "dense" keeps every score, "sparse" per clip those at or above `threshold` or among the `top_k`
    highest; "auto" is dense up to 500 classes. Sparse without either keeps what reaches the model's own
    recommended threshold, and the best three in any case.
    """

    folder: PathText
    formats: tuple[OutputFormat, ...] = ("csv",)
    layout: Literal["auto", "dense", "sparse"] = "auto"
    threshold: float | None = None
    top_k: Annotated[int, Meta(ge=1)] | None = None


class InferenceConfig(Input, frozen=True):
    """How the model is run.

    `clip_overlap_seconds` is how much neighbouring clips share. `workers` counts the threads that read
    ahead. `classes` keeps only these, in the model's order; null keeps all.
    """

    clip_overlap_seconds: NonNegative = 0.0
    batch_size: Annotated[int, Meta(ge=1, le=4096)] | Literal["auto"] = "auto"
    workers: Annotated[int, Meta(ge=0, le=256)] | Literal["auto"] = "auto"
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    device: Device = "auto"
    classes: tuple[Name, ...] | None = None


class Config(Input, frozen=True):
    """One inference run. Everything but `model`, `input` and `output.folder` has a default."""

    model: ModelConfig
    input: InputConfig
    output: OutputConfig
    schema_version: Literal[1] = 1
    name: Name = "job"
    inference: InferenceConfig = InferenceConfig()


class SaveParams(Params, frozen=True):
    """config/save: validate `config` and write it to `path`."""

    path: PathText
    config: Config
    overwrite: bool = True


class SavedConfig(Wire, frozen=True):
    """Where the config was written, and how it reads with every default filled in."""

    path: str
    config: Config


class LoadParams(Params, frozen=True):
    """config/load: read a config file, of an older form too."""

    path: PathText


class LoadedConfig(Wire, frozen=True):
    """A config file's content in today's form.

    `source_format` is "current", "seed" or "dipper"; `warnings` name what an older form held and this one
    does not.
    """

    config: Config
    source_format: Literal["current", "seed", "dipper"]
    warnings: tuple[str, ...]


class ValidateParams(Params, frozen=True):
    """config/validate: check a config (as an object, or the file at `path`) and/or audio files.

    `config` is taken as it is, so that the answer can name every fault instead of being an error.
    """

    config: dict[str, Any] | UnsetType = UNSET
    path: PathText | None = None
    files: tuple[PathText, ...] | None = None


class ConfigProblem(Wire, frozen=True):
    """A fault, at a place like `$.inference.batchSize`."""

    path: str
    message: str


class FileCheck(Wire, frozen=True):
    """Which of the files can be scored."""

    valid: tuple[str, ...]
    missing: tuple[str, ...]
    unsupported: tuple[str, ...]
    unreadable: tuple[str, ...]


class Validation(Wire, frozen=True):
    """Whether a run can start. `files` covers the config's recordings and those asked for."""

    valid: bool
    errors: tuple[ConfigProblem, ...]
    warnings: tuple[str, ...]
    files: FileCheck | None = None
