"""Accelerating sequences of pulses: OpenSoundscape's published detector of Ruffed Grouse drumming, window by window.

What lives here: `detect_peak_sequence_cwt` as a Model. What must not: its mathematics, which stay OpenSoundscape's own
(`cwt_peaks`, `find_accel_sequences`).

NOTE: OpenSoundscape resamples the whole recording and cuts it into windows. Here each window is resampled with two
seconds on either side, from a sample that both rates have in common, so that memory does not grow with the length
and the samples are the same. As there: no window that is not full, and each window is normalised by itself.

Lapp, S. et al. (2022): Automated recognition of ruffed grouse drumming in field recordings. Wildlife Society
Bulletin 46(5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import librosa
import numpy as np
import pywt
from numpy.typing import NDArray
from opensoundscape import Audio
from opensoundscape.signal_processing import cwt_peaks, find_accel_sequences

from ml_runtime.clips import ClipTimes
from ml_runtime.models.protocol import ModelCard, Scores
from ml_runtime.models.waveform import RESAMPLING
from ml_runtime.sound import Sound
from rpc.errors import ConfigInvalid, DecodeFailed
from schemas.config import CwtModel

_MARGIN_SECONDS = 2
_DECIMALS = 10

Times = NDArray[np.float64]


class Cwt:
    """The detector with the settings of `config`. Its one class scores the points of the longest sequence."""

    def __init__(self, config: CwtModel, version: str) -> None:
        _check_wavelet(config.wavelet)
        self._config = config
        self.card = ModelCard(
            name="CWT peak sequences",
            classes=(config.class_name,),
            clip_seconds=config.window_len,
            sample_rate=config.sample_rate,
            weights=f"detect_peak_sequence_cwt of opensoundscape {version}",
            batch_size=16,
            recommended_threshold=float(config.points_range[0]),
        )

    def clip_times(self, sound: Sound, overlap_seconds: float) -> ClipTimes:
        """Full windows only, counted in the resampled sound."""
        rate, window = self._config.sample_rate, self._config.window_len
        duration = math.ceil(sound.frames * (float(rate) / sound.sample_rate)) / rate
        if duration < window:
            message = f"{sound.path} is shorter than a window of {window:g} s, so nothing can be found in it."
            raise DecodeFailed(message, path=sound.path)
        step = window - overlap_seconds
        # As the reference counts windows without overlap, where step and window are one.
        count = 1 + int((duration - window) / step + 1e-9)
        starts: Times = (np.arange(count, dtype=np.float64) * step).round(_DECIMALS)
        return ClipTimes(starts, (starts + window).astype(np.float64))

    def prepare(self, sound: Sound, start_seconds: float, end_seconds: float) -> Times:
        """The times of the peaks in the window, in seconds from its start."""
        config = self._config
        audio = Audio(self._window(sound, start_seconds, end_seconds), config.sample_rate)
        # Silence has no highest value to be normalised by; it gives no peaks.
        with np.errstate(divide="ignore", invalid="ignore"):
            peaks, _ = cwt_peaks(
                audio,
                config.center_frequency,
                config.wavelet,
                peak_threshold=config.peak_threshold,
                peak_separation=config.peak_separation,
            )
        return np.array(peaks, dtype=np.float64)

    def score(self, prepared: Sequence[Times]) -> Scores:
        """How many points the longest sequence of each window has, shape [clips, 1], float64."""
        return np.array([[self._longest(peaks)] for peaks in prepared], dtype=np.float64)

    def _longest(self, peaks: Times) -> int:
        config = self._config
        sequences, _ = find_accel_sequences(
            peaks,
            dt_range=config.dt_range,
            dy_range=config.dy_range,
            d2y_range=config.d2y_range,
            max_skip=config.max_skip,
            duration_range=config.duration_range,
            points_range=config.points_range,
        )
        return max(map(len, sequences), default=0)

    def _window(self, sound: Sound, start_seconds: float, end_seconds: float) -> NDArray[np.float32]:
        """The window at the detector's rate, as the reference cuts it from the whole resampled recording.

        NOTE: times become samples by truncation. Reading starts where a sample of both rates coincides: every
        `rate / gcd` of the detector's samples.
        """
        rate = self._config.sample_rate
        first, after = int(start_seconds * rate), int(end_seconds * rate)
        together = rate // math.gcd(rate, sound.sample_rate)
        begin = max(0, first - _MARGIN_SECONDS * rate) // together * together
        start_frame = begin * sound.sample_rate // rate
        end_frame = math.ceil((after + _MARGIN_SECONDS * rate) * sound.sample_rate / rate)
        samples = sound.read_mono(start_frame, end_frame - start_frame).astype(np.float32)
        if not np.isfinite(samples).all():
            message = f"{sound.path} holds samples that are no numbers, after {start_seconds:g} s."
            raise DecodeFailed(message, path=sound.path)
        resampled = np.empty(0, dtype=np.float32)
        if len(samples):
            resampled = librosa.resample(samples, orig_sr=sound.sample_rate, target_sr=rate, res_type=RESAMPLING)
        window: NDArray[np.float32] = np.clip(resampled[first - begin : after - begin], -1, 1)
        if len(window) < after - first:
            seconds = (start_frame + len(samples)) / sound.sample_rate
            raise DecodeFailed(f"{sound.path} ends at {seconds:.3f} s, before its header says.", path=sound.path)
        return window


def _check_wavelet(name: str) -> None:
    known = pywt.wavelist(kind="continuous")
    # Complex Gaussians and B-splines carry their parameters in their names: cmor1.5-1.0.
    if not any(
        name == wavelet or (name.startswith(wavelet) and wavelet in ("cmor", "fbsp", "shan")) for wavelet in known
    ):
        raise ConfigInvalid(f"$.model.wavelet: there is no continuous wavelet {name!r}. There is {', '.join(known)}.")
