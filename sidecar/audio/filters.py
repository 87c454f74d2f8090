"""Preparing the sound of a clip: filters, resampling, normalising.

What lives here: functions from samples to samples, shape [samples], float32. What must not: files, channels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.audio import AudioSettings

Floats = NDArray[np.float32]

FILTER_ORDER = 4
_SETTLING_CYCLES = 20
_BLOCK_SAMPLES = 1 << 20


def prepare_sound(samples: Floats, rate: int, settings: AudioSettings, token: CancelToken) -> tuple[Floats, int]:
    """Filter, resample and normalise `samples` at `rate` Hz as the settings say. Returns them with their rate.

    Raises
    ------
    rpc.errors.InvalidParams
        A filter's frequency is not below Nyquist, or the high-pass is not below the low-pass.
    rpc.errors.RequestCancelled
    """
    check_filters(settings, rate)
    if settings.highpass_hz is not None or settings.lowpass_hz is not None:
        samples = filter_band(samples, rate, settings.highpass_hz, settings.lowpass_hz, token)
    if settings.sample_rate is not None and settings.sample_rate != rate:
        samples = resample(samples, rate, settings.sample_rate, token)
        rate = settings.sample_rate
    return (normalize(samples) if settings.normalize else samples), rate


def check_filters(settings: AudioSettings, rate: int) -> None:
    """Refuse frequencies that a recording at `rate` Hz does not have. Raises InvalidParams."""
    for field, hertz in (("highpassHz", settings.highpass_hz), ("lowpassHz", settings.lowpass_hz)):
        if hertz is not None and hertz >= rate / 2:
            raise InvalidParams(
                f"$.audio.{field}: {hertz:g} Hz is not below {rate / 2:g} Hz, the highest frequency of this recording."
            )
    if settings.highpass_hz and settings.lowpass_hz and settings.highpass_hz >= settings.lowpass_hz:
        raise InvalidParams(
            f"$.audio.highpassHz: {settings.highpass_hz:g} Hz is not below lowpassHz, {settings.lowpass_hz:g} Hz."
        )


def filter_band(
    samples: Floats, rate: int, highpass_hz: float | None, lowpass_hz: float | None, token: CancelToken
) -> Floats:
    """Butterworth filters of order 4, run forwards and backwards: no phase shift, -6 dB at the given frequencies.

    The same as `scipy.signal.sosfiltfilt(butter(4, ...))` away from the ends, computed as a multiplication of the
    spectrum: importing scipy.signal takes longer than filtering a hundred clips. A long clip is filtered block by
    block, each with as much sound around it as the filter takes to settle.
    """
    lowest = min(hertz for hertz in (highpass_hz, lowpass_hz) if hertz is not None)
    settling = min(int(_SETTLING_CYCLES * rate / lowest) + 1, len(samples) - 1)
    extended = _extended(samples, settling)
    block = max(_BLOCK_SAMPLES, 2 * settling)
    filtered = np.empty(len(samples), np.float32)
    for start in range(0, len(samples), block):
        token.raise_if_cancelled()
        piece = extended[start : start + block + 2 * settling]
        length = good_length(len(piece))
        spectrum = np.fft.rfft(piece, length)
        spectrum *= _band_gain(length, rate, highpass_hz, lowpass_hz)
        whole = np.fft.irfft(spectrum, length)[settling : len(piece) - settling]
        filtered[start : start + block] = whole
    return filtered


def resample(samples: Floats, rate: int, new_rate: int, token: CancelToken) -> Floats:
    """`samples` at `new_rate` Hz instead of `rate`, band-limited.

    NOTE: the result has round(len(samples) * new_rate / rate) samples; its first stands for the same instant.
    """
    # soxr's 50 ms of import are only due for those who resample.
    import soxr

    stream = soxr.ResampleStream(rate, new_rate, 1, dtype="float32", quality="HQ")
    length = max(1, (len(samples) * new_rate * 2 + rate) // (2 * rate))
    fitted, place = np.zeros(length, np.float32), 0
    for start in range(0, len(samples), _BLOCK_SAMPLES):
        token.raise_if_cancelled()
        block = samples[start : start + _BLOCK_SAMPLES]
        resampled = stream.resample_chunk(block, last=start + _BLOCK_SAMPLES >= len(samples))
        fitted[place : place + len(resampled)] = resampled[: length - place]
        place += len(resampled)
    return fitted


def normalize(samples: Floats) -> Floats:
    """Scale the peak to full scale. Silence stays silence."""
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
    return samples * np.float32(1.0 / peak) if peak > 0 else samples


def good_length(length: int) -> int:
    """The least length >= `length` with no prime factor above 5, for which Fourier transforms are fast."""
    best = 1 << max(length - 1, 0).bit_length()
    for fives in _powers(5, best):
        for threes in _powers(3, best // fives):
            odd = fives * threes
            twos = 1 << max(-(-length // odd) - 1, 0).bit_length()
            best = min(best, odd * twos)
    return best


def _powers(base: int, limit: int) -> list[int]:
    powers = [1]
    while powers[-1] * base <= limit:
        powers.append(powers[-1] * base)
    return powers


def _extended(samples: Floats, count: int) -> Floats:
    """Samples with `count` more at each end, mirrored about the end point, so that no step begins or ends the clip."""
    if count <= 0:
        return samples
    before = 2 * samples[0] - samples[count:0:-1]
    after = 2 * samples[-1] - samples[-2 : -count - 2 : -1]
    return np.concatenate([before, samples, after])


def _band_gain(length: int, rate: int, highpass_hz: float | None, lowpass_hz: float | None) -> NDArray[np.float64]:
    # The digital filter is the analogue one with its frequencies warped by tan.
    warped = np.tan(np.pi * np.minimum(np.fft.rfftfreq(length), 0.499999))
    gain = np.ones(len(warped))
    if lowpass_hz is not None:
        gain /= 1.0 + (warped / np.tan(np.pi * lowpass_hz / rate)) ** (2 * FILTER_ORDER)
    if highpass_hz is not None:
        ratio = (warped / np.tan(np.pi * highpass_hz / rate)) ** (2 * FILTER_ORDER)
        gain *= ratio / (1.0 + ratio)
    return gain
