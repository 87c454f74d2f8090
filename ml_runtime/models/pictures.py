"""OpenSoundscape's default spectrogram pictures, of many clips at once and on any device.

What lives here: recognising a preprocessor that does what SpectrogramPreprocessor does by default, and doing the same
in a few calls of torch. What must not: reading sound.

Whatever a preprocessor does otherwise, in any step or setting, it does itself, clip by clip. One that is recognised
is proven on a clip of noise before it is believed.

NOTE: a model's channels are copies of one picture, so one is made; the network's input is widened when it is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from opensoundscape import Audio, Spectrogram
from opensoundscape.preprocess import action_functions
from opensoundscape.preprocess.actions import Action, AudioTrim, SpectrogramToTensor, trim_audio
from opensoundscape.preprocess.preprocessors import SpectrogramPreprocessor
from opensoundscape.sample import AudioSample

_FLOOR = 1e-10
_TOLERANCE = 1e-5
_WINDOW_SAMPLES = 512
_SPECTROGRAM_SETTINGS = {
    "window_samples", "window_length_sec", "hop_samples", "overlap_fraction", "overlap_samples", "fft_size",
}  # fmt: skip


class _Unlike(Exception):
    """The preprocessor is not one of those that are known here."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The settings of a preprocessor. `samples` is a clip's length, `rows` the frequencies kept of its spectrogram."""

    samples: int
    window: int
    hop: int
    fft: int
    rows: slice
    decibels: tuple[float, float]
    invert: bool
    shape: tuple[int | None, int | None]
    mean: float
    deviation: float
    channels: int

    @classmethod
    def of(cls, preprocessor: Any) -> Self | None:
        """Those that `preprocessor`, without its step that reads files, makes; None when they are of another kind."""
        try:
            pictures = cls._recognise(preprocessor)
        except _Unlike:
            return None
        noise = np.random.default_rng(0).normal(0, 0.05, pictures.samples).astype(np.float32)
        sample = AudioSample("noise", start_time=0, duration=preprocessor.sample_duration)
        sample.data = Audio(noise, preprocessor.sample_rate)
        theirs = preprocessor.forward(sample, bypass_augmentations=True).data
        ours = pictures.draw(torch.from_numpy(noise)[None])[0].expand(pictures.channels, -1, -1)
        equal = ours.shape == theirs.shape and float((ours - theirs).abs().max()) <= _TOLERANCE
        return pictures if equal else None

    @classmethod
    def _recognise(cls, preprocessor: Any) -> Self:
        _require(type(preprocessor) is SpectrogramPreprocessor and preprocessor.sample_rate is not None)
        steps = [action for action in preprocessor.pipeline if not action.bypass and not action.is_augmentation]
        band = steps.pop(2) if len(steps) == 5 else None
        _require(len(steps) == 4)
        trim, spectrogram, tensor, rescale = steps
        settings = _settings_of(trim, AudioTrim, trim_audio)
        _require(settings["extend"] and not settings["random_trim"])
        window, hop, fft = _window(spectrogram, preprocessor.sample_rate)
        picture = _settings_of(tensor, SpectrogramToTensor, Spectrogram.to_image)
        _require(picture["colormap"] is None and picture["dB"] and picture["return_type"] == "torch")
        scaling = _settings_of(rescale, Action, action_functions.scale_tensor)
        return cls(
            samples=_length(settings["target_duration"], preprocessor.sample_rate),
            window=window,
            hop=hop,
            fft=fft,
            rows=_rows(band, np.arange(fft // 2 + 1) * preprocessor.sample_rate / fft),
            decibels=tuple(picture["range"]),
            invert=bool(picture["invert"]),
            shape=(preprocessor.height, preprocessor.width),
            mean=float(scaling["input_mean"]),
            deviation=float(scaling["input_std"]),
            channels=int(preprocessor.channels),
        )

    def waveform(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """A clip's sound at its full length, silence after its end."""
        known = samples[: self.samples]
        return np.pad(known, (0, self.samples - len(known))) if len(known) < self.samples else known

    def draw(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Pictures of shape [clips, 1, rows, columns] from sound of shape [clips, samples], on its device."""
        window = torch.hann_window(self.window, device=waveforms.device)
        spectrum = torch.stft(
            waveforms, self.fft, self.hop, self.window, window, center=False, onesided=True, return_complex=True
        )
        power = spectrum[:, self.rows].abs().square_().div_(self.window)
        low, high = self.decibels
        levels = power.add_(_FLOOR).log10_().mul_(10).sub_(low).mul_(1 / (high - low)).clamp_(0, 1).flip(1)
        if self.invert:
            levels = 1 - levels
        pictures = levels[:, None]
        size = [wanted or found for wanted, found in zip(self.shape, levels.shape[1:], strict=True)]
        if size != list(levels.shape[1:]):
            pictures = torch.nn.functional.interpolate(pictures, size=size, mode="bilinear", align_corners=False)
        return pictures.sub_(self.mean).div_(self.deviation)


def _require(condition: bool) -> None:
    if not condition:
        raise _Unlike


def _settings_of(action: Any, kind: type[Any], function: Any) -> dict[str, Any]:
    _require(type(action) is kind and action.action_fn == function)
    return dict(action.params)


def _window(action: Any, sample_rate: int) -> tuple[int, int, int]:
    """Samples a window, samples from one to the next, and points of its transform."""
    settings = _settings_of(action, Action, Spectrogram.from_audio)
    _require(set(settings) == _SPECTROGRAM_SETTINGS)
    window, seconds = settings["window_samples"], settings["window_length_sec"]
    _require(window is None or seconds is None)
    if window is None:
        window = _WINDOW_SAMPLES if seconds is None else int(sample_rate * seconds)
    return window, _hop(settings, window), settings["fft_size"] or window


def _hop(settings: dict[str, Any], window: int) -> int:
    given = [name for name in ("hop_samples", "overlap_fraction", "overlap_samples") if settings[name] is not None]
    _require(len(given) <= 1)
    if settings["hop_samples"] is not None:
        return int(settings["hop_samples"])
    if settings["overlap_fraction"] is not None:
        return int(window * (1 - settings["overlap_fraction"]))
    return window // 2 if settings["overlap_samples"] is None else window - int(settings["overlap_samples"])


def _rows(band: Any, frequencies: NDArray[np.float64]) -> slice:
    if band is None:
        return slice(None)
    settings = _settings_of(band, Action, Spectrogram.bandpass)
    low, high = settings["min_f"], settings["max_f"]
    # Outside of what there is, the step itself says so, in its own words.
    _require(low < high and frequencies[0] <= low and high <= frequencies[-1])
    return slice(int(np.abs(frequencies - low).argmin()), int(np.abs(frequencies - high).argmin()) + 1)


def _length(duration: float | None, sample_rate: int) -> int:
    """How long OpenSoundscape makes every clip, one that is too short and one that is too long."""
    _require(duration is not None)
    lengths = [_trimmed(count, duration, sample_rate) for count in (1, 2 * int(float(duration or 0) * sample_rate) + 2)]
    _require(lengths[0] == lengths[1])
    return lengths[0]


def _trimmed(count: int, duration: Any, sample_rate: int) -> int:
    sound = Audio(np.zeros(count, dtype=np.float32), sample_rate)
    return len(sound.extend_to(duration).trim(0, duration).samples)
