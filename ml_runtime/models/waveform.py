"""A clip of a recording as samples at the rate that a model hears.

What lives here: reading, resampling, padding. What must not: spectrograms, models.
"""

from __future__ import annotations

import librosa
import numpy as np
from numpy.typing import NDArray

from ml_runtime.sound import Mono, Sound
from rpc.errors import DecodeFailed

RESAMPLING = "soxr_hq"
"""What OpenSoundscape resamples with unless it is told otherwise."""


def read_resampled(
    sound: Sound, start_seconds: float, duration_seconds: float, sample_rate: int | None, resampling: str = RESAMPLING
) -> Mono:
    """The stretch mixed down to one channel, at `sample_rate` (Hz; None: as recorded), shape [samples].

    It is shorter where the recording ends before.

    Raises
    ------
    rpc.errors.DecodeFailed
        There is no sound, or it holds samples that are no numbers.
    """
    samples = sound.read_stretch(start_seconds, duration_seconds)
    return resampled(samples, sound, start_seconds, sample_rate, resampling)


def resampled(
    samples: Mono, sound: Sound, start_seconds: float, sample_rate: int | None, resampling: str = RESAMPLING
) -> Mono:
    """`samples`, read from `sound` at `start_seconds`, at `sample_rate`. Raises as `read_resampled`."""
    if len(samples) == 0:
        where = f"from {start_seconds:g} s on"
        raise DecodeFailed(f"{sound.path} holds no sound {where}, although its header says so.", path=sound.path)
    if not np.isfinite(samples).all():
        message = f"{sound.path} holds samples that are no numbers, after {start_seconds:g} s."
        raise DecodeFailed(message, path=sound.path)
    rate = sample_rate or sound.sample_rate
    if rate == sound.sample_rate:
        return samples
    converted: Mono = librosa.resample(samples, orig_sr=sound.sample_rate, target_sr=rate, res_type=resampling)
    return converted


def read_waveform(sound: Sound, start_seconds: float, clip_seconds: float, sample_rate: int) -> NDArray[np.float32]:
    """A whole clip for a network that takes waveforms, shape [samples], with silence after the recording's end.

    NOTE: its length is `clip_seconds * sample_rate`, rounded. Raises as `read_resampled`.
    """
    samples = read_resampled(sound, start_seconds, clip_seconds, sample_rate)
    waveform = np.zeros(round(clip_seconds * sample_rate), dtype=np.float32)
    known = samples[: len(waveform)]
    waveform[: len(known)] = known
    return waveform
