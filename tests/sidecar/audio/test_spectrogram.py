"""Power before rendering, against scipy.signal.spectrogram."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams, RequestCancelled
from schemas.audio import SpectrogramSettings
from sidecar.audio.spectrogram import compute_power, plan_frames, power_blocks, to_decibels
from tests.sounds import noise, tone


def power_of(samples, rate, settings):
    frames = plan_frames(settings, len(samples), rate)
    return compute_power(samples, frames, settings.scaling, CancelToken())


def scipy_power(samples, rate, settings):
    _, _, power = scipy.signal.spectrogram(
        samples.astype(np.float64),
        rate,
        window="hann",
        nperseg=settings.window_samples,
        noverlap=int(settings.overlap_fraction * settings.window_samples),
        nfft=settings.fft_samples,
        detrend=False,
        scaling=settings.scaling,
    )
    return power.T


@given(
    window=st.integers(2, 700),
    overlap=st.floats(0, 0.95),
    padding=st.integers(0, 300),
    length=st.integers(0, 3000),
    rate=st.sampled_from([8000, 22050, 32000, 44100, 48000, 96000, 384000]),
    scaling=st.sampled_from(["density", "spectrum"]),
    seed=st.integers(0, 1000),
)
def test_power_equals_scipys(window, overlap, padding, length, rate, scaling, seed):
    samples = noise(window + length, seed=seed)[:, 0]
    settings = SpectrogramSettings(
        window_samples=window, overlap_fraction=overlap, fft_samples=window + padding, scaling=scaling
    )

    power = power_of(samples, rate, settings)

    expected = scipy_power(samples, rate, settings)
    assert power.shape == expected.shape
    # float32 holds 7 digits: 100 dB below the loudest bin of a frame there is only rounding.
    audible = expected > expected.max(axis=1, keepdims=True) * 1e-10
    difference = to_decibels(power)[audible] - 10 * np.log10(expected[audible])
    assert np.max(np.abs(difference), initial=0) < 0.01


def test_the_defaults_on_a_tone():
    samples = tone(4000, rate=48000, seconds=3)

    power = power_of(samples, 48000, SpectrogramSettings())

    expected = scipy_power(samples, 48000, SpectrogramSettings())
    audible = expected > expected.max() * 1e-9
    assert np.max(np.abs(to_decibels(power)[audible] - 10 * np.log10(expected[audible]))) < 0.01


def test_the_spectrum_of_a_tone_is_its_mean_square():
    """A sine of amplitude 0.5 has a power of 0.125, which is -9.03 dB, whatever the window."""
    settings = SpectrogramSettings(scaling="spectrum", window_samples=1000)

    power = power_of(tone(4000, rate=32000), 32000, settings)

    assert to_decibels(power).max() == pytest.approx(-9.03, abs=0.01)


def test_blocks_together_are_the_whole():
    samples = noise(2_000_000)[:, 0]
    settings = SpectrogramSettings(window_samples=512)
    frames = plan_frames(settings, len(samples), 48000)

    blocks = list(power_blocks(samples, frames, "density", CancelToken()))

    assert len(blocks) > 1
    assert sum(map(len, blocks)) == frames.count
    last = (frames.count - 1) * 256
    assert np.array_equal(blocks[-1][-1], power_of(samples[last : last + 512], 48000, settings)[0])


def test_silence_has_a_floor():
    assert np.all(to_decibels(np.zeros(3, np.float32)) == np.float32(-300))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (SpectrogramSettings(window_samples=2000), "windowSamples"),
        (SpectrogramSettings(window_samples=512, fft_samples=256), "fftSamples"),
    ],
)
def test_settings_that_do_not_fit_the_clip(settings, field):
    with pytest.raises(InvalidParams, match=rf"\$\.spectrogram\.{field}: "):
        plan_frames(settings, 1000, 32000)


def test_cancelled_between_blocks():
    samples, token = noise(3_000_000)[:, 0], CancelToken()
    blocks = power_blocks(samples, plan_frames(SpectrogramSettings(), len(samples), 48000), "density", token)
    next(blocks)
    token.cancel()

    with pytest.raises(RequestCancelled):
        next(blocks)
