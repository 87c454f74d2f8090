"""Sound that tests make for themselves: tones, clicks, noise, and files of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def tone(hertz: float, rate: int = 32000, seconds: float = 1.0, amplitude: float = 0.5) -> Samples:
    """A sine."""
    moments = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * moments)).astype(np.float32)


def click(at_seconds: float, rate: int = 32000, seconds: float = 1.0) -> Samples:
    """Silence with one sample of full scale."""
    samples = np.zeros(round(seconds * rate), np.float32)
    samples[round(at_seconds * rate)] = 1.0
    return samples


def noise(samples: int, channels: int = 1, seed: int = 0, amplitude: float = 0.1) -> Samples:
    """White noise, shape [samples, channels]."""
    generator = np.random.default_rng(seed)
    return np.clip(generator.normal(0, amplitude, (samples, channels)), -1, 1).astype(np.float32)


def write_sound(path: Path, samples: Samples, rate: int = 32000, subtype: str | None = None, **options: str) -> Path:
    """A file of `samples` in the format that the extension of `path` names. Written in pieces: FACTS of libsndfile."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(path, "w", rate, channels, subtype, **options) as file:
        for start in range(0, len(samples), 1 << 18):
            file.write(samples[start : start + (1 << 18)])
    return path
