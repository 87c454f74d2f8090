"""RIBBIT clip by clip is OpenSoundscape's RIBBIT of the whole recording."""

from __future__ import annotations

import numpy as np
import pytest
from opensoundscape import Audio, Spectrogram
from opensoundscape.ribbit import ribbit

from ml_runtime.models.ribbit import Ribbit
from ml_runtime.sound import Sound
from rpc.errors import DecodeFailed
from schemas.config import RibbitModel
from tests.sounds import noise, write_sound


def calls(rate: int, seconds: float, at: float) -> np.ndarray:
    """Noise with 3 s of a 2250 Hz tone that pulses 17 times a second."""
    moments = np.arange(int(rate * seconds)) / rate
    pulsing = (np.sin(2 * np.pi * 17 * moments) > 0) * np.sin(2 * np.pi * 2250 * moments)
    return 0.02 * noise(len(moments), seed=7)[:, 0] + 0.3 * pulsing * ((moments >= at) & (moments < at + 3))


def toad(**options) -> RibbitModel:
    settings = {"signal_band_hz": (2000.0, 2500.0), "pulse_rate_hz": (13.0, 22.0), "noise_bands_hz": ((0.0, 200.0),)}
    return RibbitModel(class_name="toad", **{**settings, **options})


@pytest.mark.parametrize("overlap", [0.0, 1.3, 2.5])
@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize(
    "options", [{}, {"noise_bands_hz": ()}, {"clip_seconds": 4.0, "spectrogram_window_samples": 300}]
)
def test_scores_and_times_are_those_of_the_reference(tmp_path, overlap, rate, options):
    # Arrange
    path = write_sound(tmp_path / "toads.wav", calls(rate, 18.2, at=10), rate)
    config = toad(**options)
    spectrogram = Spectrogram.from_audio(Audio.from_file(path), window_samples=config.spectrogram_window_samples)
    bands = [list(band) for band in config.noise_bands_hz] or None
    reference = ribbit(
        spectrogram, [2000, 2500], [13, 22], config.clip_seconds, clip_overlap=overlap, noise_bands=bands
    )

    # Act
    model = Ribbit(config, "")
    with Sound.open(path) as sound:
        times = model.clip_times(sound, overlap)
        scores = model.score([model.prepare(sound, *clip) for clip in zip(times.starts, times.ends, strict=True)])

    # Assert
    assert np.array_equal(times.starts, reference.start_time)
    assert np.array_equal(times.ends, reference.end_time)
    assert scores[:, 0] == pytest.approx(reference.score.to_numpy(), rel=1e-6)
    assert scores.shape == (len(reference), 1)
    highest = scores[:, 0].argmax()
    assert times.starts[highest] < 13
    assert times.ends[highest] > 10


def test_a_recording_shorter_than_a_window_is_refused_with_the_reason(tmp_path):
    path = write_sound(tmp_path / "tiny.wav", noise(511), 16000)

    with Sound.open(path) as sound, pytest.raises(DecodeFailed, match="512"):
        Ribbit(toad(), "").clip_times(sound, 0.0)
