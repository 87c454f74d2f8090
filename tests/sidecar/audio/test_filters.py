"""Filters and resampling against scipy.signal."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from rpc.cancel import CancelToken
from rpc.errors import RequestCancelled
from sidecar.audio import filters
from sidecar.audio.filters import filter_band, good_length, normalize, resample
from tests.sounds import noise, tone

RATE = 32000


@pytest.mark.parametrize(
    ("kind", "edges", "highpass", "lowpass"),
    [
        ("highpass", 1000, 1000.0, None),
        ("lowpass", 4000, None, 4000.0),
        ("highpass", 12000, 12000.0, None),
        ("lowpass", 200, None, 200.0),
    ],
)
def test_filters_are_scipys_forwards_and_backwards(kind, edges, highpass, lowpass):
    samples = noise(RATE)[:, 0]

    filtered = filter_band(samples, RATE, highpass, lowpass, CancelToken())

    expected = scipy.signal.sosfiltfilt(scipy.signal.butter(4, edges, kind, fs=RATE, output="sos"), samples)
    away = slice(2000, -2000)
    assert np.max(np.abs(filtered[away] - expected[away])) < 1e-5
    assert np.max(np.abs(filtered)) < 2 * np.max(np.abs(expected))


def test_blocks_do_not_show(monkeypatch):
    samples = noise(300_000)[:, 0]
    whole = filter_band(samples, RATE, 500.0, 4000.0, CancelToken())
    resampled = resample(samples, RATE, 22050, CancelToken())

    monkeypatch.setattr(filters, "_BLOCK_SAMPLES", 10_000)

    assert np.max(np.abs(filter_band(samples, RATE, 500.0, 4000.0, CancelToken()) - whole)) < 1e-6
    assert np.max(np.abs(resample(samples, RATE, 22050, CancelToken()) - resampled)) < 1e-6


def test_cancelled_between_blocks():
    token = CancelToken()
    token.cancel()

    with pytest.raises(RequestCancelled):
        filter_band(noise(1000)[:, 0], RATE, 500.0, None, token)
    with pytest.raises(RequestCancelled):
        resample(noise(1000)[:, 0], RATE, 8000, token)


def test_both_filters_leave_the_band_between():
    sound = tone(500, RATE) + tone(3000, RATE) + tone(9000, RATE)

    filtered = filter_band(sound, RATE, 1500.0, 5000.0, CancelToken())

    assert np.max(np.abs(filtered - tone(3000, RATE))[3000:-3000]) < 0.01


@given(length=st.integers(1, 300), highpass=st.floats(1, 15000))
def test_any_clip_can_be_filtered(length, highpass):
    filtered = filter_band(noise(length)[:, 0], RATE, highpass, None, CancelToken())

    assert filtered.shape == (length,)
    assert filtered.dtype == np.float32
    assert np.all(np.isfinite(filtered))


@given(length=st.integers(1, 20_000), rates=st.tuples(*[st.sampled_from([8000, 22050, 44100, 48000, 96000])] * 2))
def test_the_length_after_resampling(length, rates):
    resampled = resample(noise(length)[:, 0], rates[0], rates[1], CancelToken())

    assert abs(len(resampled) - length * rates[1] / rates[0]) <= 0.5 or len(resampled) == 1


def test_resampling_is_scipys():
    samples = scipy.signal.sosfiltfilt(scipy.signal.butter(8, 6000, fs=48000, output="sos"), noise(48000)[:, 0])

    resampled = resample(samples.astype(np.float32), 48000, 24000, CancelToken())

    expected = scipy.signal.resample_poly(samples, 1, 2)
    assert np.max(np.abs(resampled - expected)[1000:-1000]) < 1e-3


@given(st.integers(1, 10_000_000))
def test_good_lengths_have_small_factors_and_waste_little(length):
    good = good_length(length)

    rest = good
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1
    assert length <= good <= max(length * 1.2, length + 1)


def test_silence_stays_silence():
    assert not np.any(normalize(np.zeros(10, np.float32)))
