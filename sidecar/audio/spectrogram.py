"""Power spectral density of a clip, in decibels.

What lives here: windows, the Fourier transform, decibels. What must not: pixels (picture.py), colours, files.

The density is that of `scipy.signal.spectrogram(samples, rate, window="hann", detrend=False, mode="psd")`, computed
in float32. Frame k covers the samples k * hop to k * hop + window and stands for its middle; bin j stands for
j * rate / fft_samples Hz.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.audio import SpectrogramSettings

Floats = NDArray[np.float32]

FLOOR_POWER = np.float32(1e-30)
"""Digital silence is drawn as -300 dB instead of minus infinity."""

# Few blocks: two threads that render a page hinder each other at every call of numpy.
_BLOCK_BINS = 1 << 19
_DECIBELS_PER_NEPER = np.float32(10.0 / np.log(10.0))
_UNBOUNDED = np.float32(np.inf)


@dataclass(frozen=True, slots=True)
class Frames:
    """How a clip is cut into frames: lengths in samples, `rate` in Hz."""

    rate: int
    clip_samples: int
    window: int
    hop: int
    fft: int

    @property
    def count(self) -> int:
        """Number of frames. Samples after the last whole window belong to none, as in scipy."""
        return (self.clip_samples - self.window) // self.hop + 1

    @property
    def bins(self) -> int:
        """Number of frequency bins, 0 Hz and Nyquist included."""
        return self.fft // 2 + 1

    @property
    def bin_hz(self) -> float:
        """Distance of two bins in Hz."""
        return self.rate / self.fft

    def position_at(self, sample: NDArray[np.float64]) -> NDArray[np.float64]:
        """The (fractional) frame whose middle lies at `sample`."""
        return (sample - self.window / 2) / self.hop


def plan_frames(settings: SpectrogramSettings, clip_samples: int, rate: int) -> Frames:
    """The frames of a clip of `clip_samples` samples at `rate` Hz.

    NOTE: the overlap is rounded down to whole samples, as scipy's users do with `int(fraction * window)`.

    Raises
    ------
    rpc.errors.InvalidParams
        The window is longer than the clip, or the FFT shorter than the window.
    """
    window = settings.window_samples
    fft = settings.fft_samples or window
    if window > clip_samples:
        raise InvalidParams(
            f"$.spectrogram.windowSamples: a window of {window} samples is longer than the clip, "
            f"which has {clip_samples} ({clip_samples / rate:.4g} s at {rate} Hz)."
        )
    if fft < window:
        raise InvalidParams(f"$.spectrogram.fftSamples: {fft} is less than the window of {window} samples.")
    return Frames(rate, clip_samples, window, window - int(settings.overlap_fraction * window), fft)


def power_blocks(samples: Floats, frames: Frames, scaling: str, token: CancelToken) -> Iterator[Floats]:
    """The power of the frames, shape [frames, bins], in blocks, so that an hour of sound fits into memory.

    The unit is full scale^2/Hz for `scaling` "density", full scale^2 for "spectrum".
    """
    # Imported here: it takes 200 ms, and a server answers health before it draws its first clip.
    from scipy import fft as transform

    window = _scaled_window(frames.window, frames.rate, scaling)
    windows = np.lib.stride_tricks.sliding_window_view(samples, frames.window)[:: frames.hop]
    step = max(1, _BLOCK_BINS // frames.fft)
    for start in range(0, frames.count, step):
        token.raise_if_cancelled()
        spectrum = transform.rfft(windows[start : start + step] * window, n=frames.fft, axis=1)
        power: Floats = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        # The window counts each bin twice, for its negative frequency; 0 Hz and Nyquist have none.
        power[:, 0] *= 0.5
        if frames.fft % 2 == 0:
            power[:, -1] *= 0.5
        yield power


def compute_power(samples: Floats, frames: Frames, scaling: str, token: CancelToken) -> Floats:
    """All of `power_blocks` at once."""
    return np.concatenate(list(power_blocks(samples, frames, scaling, token)))


def to_decibels(power: Floats) -> Floats:
    """10 log10(power), never below -300 dB."""
    # numpy's log is vectorised for float32, its log10 is not; so is its clip, and not its maximum with a number.
    decibels: Floats = np.clip(power, FLOOR_POWER, _UNBOUNDED)
    np.log(decibels, out=decibels)
    decibels *= _DECIBELS_PER_NEPER
    return decibels


@functools.lru_cache(maxsize=32)
def _scaled_window(length: int, rate: int, scaling: str) -> Floats:
    """The periodic Hann window, scaled so that |FFT|^2 is twice the two-sided density (or spectrum)."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    unit = rate * np.sum(hann**2) if scaling == "density" else np.sum(hann) ** 2
    scaled: Floats = (hann * np.sqrt(2.0 / unit)).astype(np.float32)
    scaled.flags.writeable = False
    return scaled
