"""A chorus made for the demo and the tests: pulsed calls in noise, at times that are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile


@dataclass(frozen=True, slots=True)
class PulsedCall:
    """A call of a toad's kind: a tone of `carrier_hz` in `pulse_rate_hz` pulses a second, from `start_seconds` on."""

    start_seconds: float
    duration_seconds: float
    carrier_hz: float = 2250.0
    pulse_rate_hz: float = 17.0

    @property
    def end_seconds(self) -> float:
        """Where the call ends, in seconds from the start of the recording."""
        return self.start_seconds + self.duration_seconds


CALLS = (PulsedCall(10.3, 4.5), PulsedCall(25.2, 4.6), PulsedCall(45.1, 4.4))


def write_chorus(
    path: Path, calls: tuple[PulsedCall, ...] = CALLS, *, seconds: float = 60.0, sample_rate: int = 32000, seed: int = 7
) -> None:
    """Write a 16-bit mono WAV of pink noise with `calls` in it; the same `seed` gives the same samples."""
    sound = 0.015 * _pink_noise(round(seconds * sample_rate), np.random.default_rng(seed))
    for call in calls:
        _add(sound, call, sample_rate)
    soundfile.write(path, sound, sample_rate, subtype="PCM_16")


def _pink_noise(frames: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Noise whose power falls with frequency as the background of a field recording does; its RMS is 1."""
    spectrum = np.fft.rfft(rng.standard_normal(frames))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 100))
    noise: npt.NDArray[np.float64] = np.fft.irfft(spectrum, frames)
    noise /= np.sqrt(np.mean(noise**2))
    return noise


def _add(sound: npt.NDArray[np.float64], call: PulsedCall, sample_rate: int) -> None:
    start = round(call.start_seconds * sample_rate)
    time = np.arange(round(call.duration_seconds * sample_rate)) / sample_rate
    pulses = np.clip(np.sin(2 * np.pi * call.pulse_rate_hz * time), 0, None) ** 2
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.2)
    phase = 2 * np.pi * call.carrier_hz * time + 3 * np.sin(2 * np.pi * 0.8 * time)
    sound[start : start + len(time)] += 0.08 * fade * pulses * (np.sin(phase) + 0.1 * np.sin(2 * phase))
