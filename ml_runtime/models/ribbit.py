"""RIBBIT: OpenSoundscape's published pulse-rate detector, recording by recording in pieces.

What lives here: RIBBIT as a Model. What must not: its mathematics, which stay OpenSoundscape's own
(`Spectrogram.net_amplitude`, `calculate_pulse_score`).

NOTE: `opensoundscape.ribbit` takes the spectrogram of a whole recording. Here each clip gets the spectrogram of
just the windows whose centres lie in it, cut at the same samples, so that memory does not grow with the length
and the scores are the same. As there: no resampling, windows of 512 samples by default that overlap by half,
values limited to -100..-20 dB, and a last clip that ends with the spectrogram is filled up with silence.

Lapp, S. et al. (2021): Automated detection of frog calls and choruses by pulse repetition rate. Conservation
Biology 35(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opensoundscape import Audio, Spectrogram
from opensoundscape.ribbit import calculate_pulse_score

from ml_runtime.clips import ClipTimes, clips_with_remainder
from ml_runtime.models.protocol import ModelCard, Scores
from ml_runtime.sound import Sound
from rpc.errors import DecodeFailed
from schemas.config import RibbitModel

_DECIBEL_LIMITS = (-100, -20)


class Ribbit:
    """RIBBIT with the settings of `config`. Its one class scores 0 where there is no pulsing at all."""

    def __init__(self, config: RibbitModel, version: str) -> None:
        self._config = config
        self._window = config.spectrogram_window_samples
        self._hop = self._window // 2
        self.card = ModelCard(
            name="RIBBIT",
            classes=(config.class_name,),
            clip_seconds=config.clip_seconds,
            sample_rate=None,
            weights=f"ribbit of opensoundscape {version}",
            batch_size=64,
        )

    def clip_times(self, sound: Sound, overlap_seconds: float) -> ClipTimes:
        """As `opensoundscape.ribbit`: from the duration of the spectrogram, which ends with its last window."""
        columns = self._columns(sound)
        if columns <= 0:
            message = f"{sound.path} is too short for RIBBIT: less than one window of {self._window} samples."
            raise DecodeFailed(message, path=sound.path)
        times = self._times(sound, np.array([0, columns - 1]))
        duration = float(times[1] - times[0] + float(self._window) / sound.sample_rate)
        return clips_with_remainder(duration, self._config.clip_seconds, overlap_seconds)

    def prepare(self, sound: Sound, start_seconds: float, end_seconds: float) -> tuple[NDArray[Any], float]:
        """The net amplitude of the clip, and its values per second."""
        rate = 1 / (float(self._hop) / sound.sample_rate)
        first, after = self._columns_between(sound, start_seconds, end_seconds)
        amplitude = self._net_amplitude(sound, first, after - first)
        expected = int(self._config.clip_seconds * rate)
        if len(amplitude) < expected:
            amplitude = np.pad(amplitude, (0, expected - len(amplitude)))
        return amplitude, rate

    def score(self, prepared: Sequence[tuple[NDArray[Any], float]]) -> Scores:
        """The highest power of the pulse rates sought, shape [clips, 1], float64."""
        pulses = self._config.pulse_rate_hz
        return np.array([[calculate_pulse_score(amplitude, rate, pulses)] for amplitude, rate in prepared], dtype=float)

    def _columns(self, sound: Sound) -> int:
        return 1 + (sound.frames - self._window) // self._hop if sound.frames >= self._window else 0

    def _times(self, sound: Sound, columns: NDArray[np.int_]) -> NDArray[np.float64]:
        """The centres of windows, in the same floating-point steps as OpenSoundscape's."""
        half_a_window = float(self._window) / sound.sample_rate / 2
        return columns.astype(np.float64) * (float(self._hop) / sound.sample_rate) + half_a_window

    def _columns_between(self, sound: Sound, start_seconds: float, end_seconds: float) -> tuple[int, int]:
        """The first window whose centre lies in the clip, and the first after it."""
        around = [int(time * sound.sample_rate / self._hop) for time in (start_seconds, end_seconds)]
        columns = np.arange(max(0, around[0] - 2), min(self._columns(sound), around[1] + 3))
        times = self._times(sound, columns)
        inside = columns[(times >= start_seconds) & (times < end_seconds)]
        return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)

    def _net_amplitude(self, sound: Sound, first: int, count: int) -> NDArray[Any]:
        if count == 0:
            return np.empty(0)
        samples = sound.read_mono(first * self._hop, (count - 1) * self._hop + self._window)
        if len(samples) < (count - 1) * self._hop + self._window:
            seconds = (first * self._hop + len(samples)) / sound.sample_rate
            raise DecodeFailed(f"{sound.path} ends at {seconds:.3f} s, before its header says.", path=sound.path)
        audio = Audio(samples, sound.sample_rate)
        spectrogram = Spectrogram.from_audio(audio, window_samples=self._window).limit_range(*_DECIBEL_LIMITS)
        noise = [list(band) for band in self._config.noise_bands_hz] or None
        amplitude: NDArray[Any] = np.asarray(spectrogram.net_amplitude(self._config.signal_band_hz, noise))
        return amplitude
