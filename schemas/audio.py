"""audio/*: what a recording is, and clips of it as sound and spectrogram.

Times are seconds from the start of the recording, frequencies Hz, levels decibels relative to full
scale^2/Hz ("density") or full scale^2 ("spectrum").
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from rpc.errors import ErrorObject
from rpc.methods import Params
from schemas.base import Fraction, Input, NonNegative, Wire

Delivery = Literal["inline", "file"]
Include = Literal["spectrogram", "audio"]
Colormap = Literal["greys", "greys_r", "viridis", "magma", "inferno", "plasma", "turbo"]
Pixels = Annotated[int, Meta(ge=1, le=8192)]
Decibels = Annotated[float, Meta(ge=-400, le=400)]
ClipPath = Annotated[str, Meta(min_length=1)]
Base64 = Annotated[Raw, Meta(extra_json_schema={"type": "string", "contentEncoding": "base64"})]
"""Bytes as the JSON string of their base64, which is not encoded a second time."""


class InlineBlob(Wire, frozen=True, tag_field="kind", tag="inline"):
    """Bytes inside the reply, base64."""

    mime: str
    base64: Base64

    @property
    def content(self) -> bytes:
        """The bytes themselves. Raises msgspec.DecodeError where `base64` is none."""
        return msgspec.json.decode(self.base64, type=bytes)


class FileBlob(Wire, frozen=True, tag_field="kind", tag="file"):
    """Bytes in a file of `bytes` bytes that the sidecar wrote; it lives at least 10 minutes."""

    mime: str
    path: str
    bytes: int


Blob = InlineBlob | FileBlob


class SpectrogramSettings(Input, frozen=True):
    """How a spectrogram is computed and drawn.

    Hann window, power spectral density in dB re full scale^2/Hz, as
    `scipy.signal.spectrogram(scaling="density", detrend=False)` defines it. `fft_samples` defaults to
    `window_samples` (longer: zero-padded). `decibel_range` maps to the ends of the colormap; "auto" takes
    it from the clip: from the level that 5 % of the picture lie below, to the loudest. `frequency_range_hz` defaults
    to 0..Nyquist; a log scale begins at the lowest bin. With `resize` the picture is `width_pixels` x
    `height_pixels`, and spans the clip from edge to edge: a column shows the mean power within it, a row the loudest
    level. Otherwise it has one pixel per frame and frequency bin. `reference_frequency_hz` draws a dashed line.
    """

    window_samples: Annotated[int, Meta(ge=2, le=65536)] = 512
    overlap_fraction: Fraction = 0.5
    fft_samples: Annotated[int, Meta(ge=2, le=65536)] | None = None
    scaling: Literal["density", "spectrum"] = "density"
    decibel_range: tuple[Decibels, Decibels] | Literal["auto"] = (-80.0, -20.0)
    frequency_range_hz: tuple[NonNegative, NonNegative] | None = None
    scale: Literal["linear", "mel", "log"] = "linear"
    colormap: Colormap = "greys"
    width_pixels: Pixels = 224
    height_pixels: Pixels = 224
    resize: bool = True
    reference_frequency_hz: NonNegative | None = None


class AudioSettings(Input, frozen=True):
    """How the sound of a clip is prepared. Only `channel` concerns the spectrogram too.

    `channel` (0-based) picks one channel, otherwise all are averaged. `highpass_hz` and `lowpass_hz` filter
    (Butterworth of order 4, forwards and backwards), then `sample_rate` (Hz) resamples, then `normalize` scales the
    peak to full scale. The sound is a WAV of 16 bits.
    """

    channel: Annotated[int, Meta(ge=0, le=1023)] | None = None
    normalize: bool = True
    sample_rate: Annotated[int, Meta(ge=100, le=1_000_000)] | None = None
    highpass_hz: Annotated[float, Meta(gt=0)] | None = None
    lowpass_hz: Annotated[float, Meta(gt=0)] | None = None


class InfoParams(Params, frozen=True):
    """audio/info: what is known of the recording at `path`."""

    path: ClipPath


class RecordingInfo(Wire, frozen=True):
    """A recording's format, and when, where and by what it was made as far as its header or name tell.

    `recorded_at` is ISO 8601, with an offset only where the source gives one; `time_source` says what that
    source was. `gain_db` in decibels, `temperature_c` in degrees Celsius, `latitude` and `longitude` in
    degrees.
    """

    path: str
    duration_seconds: float
    sample_rate: int
    channels: int
    frames: int
    format: str
    subtype: str
    size_bytes: int
    recorded_at: str | None = None
    time_source: str | None = None
    device: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    gain_db: float | None = None
    temperature_c: float | None = None
    comment: str | None = None


class ClipParams(Params, frozen=True):
    """audio/clip: one clip, from `start_seconds` to `end_seconds`, padded with silence outside the recording.

    It is an hour long at most, and holds at most 268,435,456 samples. Each edge is rounded to the nearest sample.
    """

    path: ClipPath
    start_seconds: float
    end_seconds: float
    spectrogram: SpectrogramSettings = SpectrogramSettings()
    audio: AudioSettings = AudioSettings()
    include: tuple[Include, ...] = ("spectrogram", "audio")
    delivery: Delivery = "inline"


class Clip(Wire, frozen=True):
    """A clip. `padded_seconds` is the silence added [before, after]; `duration_seconds` counts it.

    `sample_rate` (Hz) is that of the audio delivered; `frequency_range_hz` and `decibel_range` are what the
    spectrogram's edges and colours stand for.
    """

    path: str
    start_seconds: float
    end_seconds: float
    duration_seconds: float
    sample_rate: int
    padded_seconds: tuple[float, float]
    frequency_range_hz: tuple[float, float] | None = None
    decibel_range: tuple[float, float] | None = None
    spectrogram: Blob | None = None
    audio: Blob | None = None


class ClipRequest(Input, frozen=True):
    """One clip of a batch. `clip_id` is the client's own; it comes back with the result."""

    path: ClipPath
    start_seconds: float
    end_seconds: float
    clip_id: str | None = None


class ClipsParams(Params, frozen=True):
    """audio/clips: many clips with the same settings, each as audio/clip gives it. At most 2,000 at once.

    With `partialResultToken` the clips are streamed in order, each as soon as it and those before it are ready, and
    left out of the result.
    """

    clips: Annotated[tuple[ClipRequest, ...], Meta(max_length=2000)]
    spectrogram: SpectrogramSettings = SpectrogramSettings()
    audio: AudioSettings = AudioSettings()
    include: tuple[Include, ...] = ("spectrogram", "audio")
    delivery: Delivery = "inline"


class BatchClip(Wire, frozen=True, omit_defaults=True):
    """A clip of a batch: the fields of Clip, or `error` instead of all of them."""

    clip_id: str | None = None
    path: str | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    duration_seconds: float | None = None
    sample_rate: int | None = None
    padded_seconds: tuple[float, float] | None = None
    frequency_range_hz: tuple[float, float] | None = None
    decibel_range: tuple[float, float] | None = None
    spectrogram: Blob | None = None
    audio: Blob | None = None
    error: ErrorObject | None = None


class Clips(Wire, frozen=True):
    """The clips in the order of the request. `failed` counts those with an error, streamed ones too."""

    clips: tuple[BatchClip, ...]
    failed: int


class CacheCleared(Wire, frozen=True):
    """cache/clear: rendered clips were forgotten. `freed_bytes` is the room on the disk that they took."""

    freed_bytes: int
