"""config/*: the config file of an inference run, and the methods that save, load and validate it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from rpc.methods import Params
from schemas.base import BandHz, Input, NonNegative, Wire

Name = Annotated[str, Meta(min_length=1, max_length=200)]
PathText = Annotated[str, Meta(min_length=1)]
ClassNames = Annotated[tuple[Name, ...], Meta(min_length=1, description="class names, each once")]
SampleRate = Annotated[int, Meta(ge=1, le=1_000_000)]
ClipSeconds = Annotated[float, Meta(gt=0, le=3600)]
Range = tuple[float, float]
OutputFormat = Literal["csv", "parquet"]
Device = Annotated[str, Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or cuda:1")]


class ZooModel(Input, frozen=True, tag_field="source", tag="zoo"):
    """A class of the bioacoustics-model-zoo, by name; `options` are its keyword arguments."""

    name: Name
    options: dict[str, Any] = {}


class CheckpointModel(Input, frozen=True, tag_field="source", tag="checkpoint", omit_defaults=True):
    """A model file saved by OpenSoundscape; or bare weights of a torch network (a state_dict).

    Bare weights say nothing of themselves, so all four of the others must be given, and only then:
    `architecture` is one of OpenSoundscape's ("resnet18", ...), `classes` are in the order of the network's outputs,
    `sample_rate` (Hz) and `clip_seconds` are what it was trained with. Clips become OpenSoundscape's default
    spectrograms.
    """

    path: PathText
    architecture: Name | None = None
    classes: ClassNames | None = None
    sample_rate: SampleRate | None = None
    clip_seconds: ClipSeconds | None = None


class OnnxModel(Input, frozen=True, tag_field="source", tag="onnx"):
    """A network in an ONNX file that takes waveforms ([batch, samples] or [batch, 1, samples]) and scores classes.

    `classes` are in the order of its output. Sound is mixed down to one channel and resampled to `sample_rate` (Hz).
    `clip_seconds` may be left out where the file fixes the number of samples.
    """

    path: PathText
    classes: ClassNames
    sample_rate: SampleRate
    clip_seconds: ClipSeconds | None = None


class PythonModel(Input, frozen=True, tag_field="source", tag="python"):
    """The class `class_name` of a Python file, made with `options` as keyword arguments; docs/models.md shows one.

    Its code runs, so it is loaded only where the run says `trust`.
    """

    path: PathText
    class_name: Name
    options: dict[str, Any] = {}


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


class CwtModel(Input, frozen=True, tag_field="source", tag="cwt"):
    """OpenSoundscape's detector of accelerating pulses, `detect_peak_sequence_cwt`, with its parameters.

    The defaults find the drumming of Ruffed Grouse (Lapp et al. 2022, Wildlife Society Bulletin). Clips are windows of
    `window_len` seconds; what remains at the end of a recording is left out. In each, sound resampled to `sample_rate`
    (Hz) goes through a wavelet at `center_frequency` (Hz); peaks of at least `peak_threshold` (0..1), at least
    `peak_separation` seconds apart, are searched for sequences: `dt_range` bounds the seconds between two peaks,
    `dy_range` the change of that, `d2y_range` the change of the change, `max_skip` the peaks passed over in between;
    `duration_range` (seconds) and `points_range` (peaks) bound the sequence. The score of a clip is the number of
    points in its longest sequence, 0 without any.
    """

    class_name: Name
    sample_rate: Annotated[int, Meta(ge=10, le=384_000)] = 400
    window_len: Annotated[float, Meta(ge=0.1, le=3600)] = 10.0
    center_frequency: Annotated[float, Meta(gt=0)] = 50.0
    wavelet: Name = "morl"
    peak_threshold: NonNegative | None = 0.2
    peak_separation: Annotated[float, Meta(gt=0)] | None = 15 / 400
    dt_range: Range = (0.05, 0.8)
    dy_range: Range = (-0.2, 0.0)
    d2y_range: Range = (-0.05, 0.15)
    max_skip: Annotated[int, Meta(ge=0)] = 3
    duration_range: Range = (1.0, 15.0)
    points_range: tuple[int, int] = (9, 100)


ModelConfig = ZooModel | CheckpointModel | OnnxModel | PythonModel | RibbitModel | CwtModel


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

    `plan` is how a torch network is calculated: "auto" is the quickest of those whose scores equal eager's within 1e-5,
    found on the first clips of a large job and remembered. `precision` lets it take half a precision too, where
    the processor or GPU has it and that is quicker; summary.json says by how much the scores deviate then.
    With `plan` and `batch_size` as environment.json has them, scores are the same to the last bit.
    """

    clip_overlap_seconds: NonNegative = 0.0
    batch_size: Annotated[int, Meta(ge=1, le=4096)] | Literal["auto"] = "auto"
    workers: Annotated[int, Meta(ge=0, le=256)] | Literal["auto"] = "auto"
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    device: Device = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    plan: Literal["auto", "eager", "channels-last", "frozen-channels-last", "onnx", "bfloat16", "float16"] = "auto"
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
    """Whether a run can start. `files` covers the config's recordings and those asked for.

    `needed_bytes` is an estimate, at the lower end, of what the results will take on the disk, `free_bytes` what is
    free there; null where only the model itself can tell how many classes there are.
    """

    valid: bool
    errors: tuple[ConfigProblem, ...]
    warnings: tuple[str, ...]
    files: FileCheck | None = None
    needed_bytes: int | None = None
    free_bytes: int | None = None
