"""Peak sequences window by window are OpenSoundscape's of the whole recording."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from opensoundscape import Audio
from opensoundscape.signal_processing import detect_peak_sequence_cwt

from ml_runtime.models.cwt import Cwt
from ml_runtime.sound import Sound
from rpc.errors import ConfigInvalid, DecodeFailed
from schemas.config import CwtModel
from tests.ml_runtime.jobs import make_job, predictions, run
from tests.sounds import noise, write_sound

GROUSE = CwtModel(class_name="grouse")


def drumming(rate: int, seconds: float, at: tuple[float, ...]) -> np.ndarray:
    """Faint noise with 20 thumps of 50 Hz, each sooner after the last, from each of the times `at` on."""
    moments = np.arange(int(rate * seconds)) / rate
    sound = 0.002 * noise(len(moments), seed=3)[:, 0]
    for begun in at:
        beats = begun + np.concatenate([[0.0], np.cumsum(np.linspace(0.6, 0.12, 19))])
        for beat in beats:
            near = np.abs(moments - beat) < 0.1
            envelope = np.exp(-(((moments[near] - beat) / 0.012) ** 2))
            sound[near] += 0.5 * envelope * np.cos(2 * np.pi * 50 * (moments[near] - beat))
    return sound


def scores_of(path, config=GROUSE, overlap=0.0):
    model = Cwt(config, "")
    with Sound.open(path) as sound:
        times = model.clip_times(sound, overlap)
        prepared = [model.prepare(sound, *clip) for clip in zip(times.starts, times.ends, strict=True)]
    return times, model.score(prepared)


def reference_of(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return detect_peak_sequence_cwt(Audio.from_file(path), window_len=10, **options)


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_scores_are_those_of_the_reference(tmp_path, rate):
    path = write_sound(tmp_path / "drums.wav", drumming(rate, 47, at=(1.5, 21.3)), rate)
    reference = reference_of(path)
    assert list(reference.window_start_t) == [0, 20], "the sound must hold what is sought"

    times, scores = scores_of(path)

    assert list(times.starts) == [0, 10, 20, 30]
    assert list(times.ends) == [10, 20, 30, 40]
    assert list(scores[:, 0]) == [reference.seq_len[0], 0, reference.seq_len[1], 0]


def test_peaks_are_those_of_the_reference_far_into_a_recording(tmp_path, monkeypatch):
    """Not only how many: the very times, of noise too."""
    path = write_sound(tmp_path / "noise.wav", noise(11025 * 41, seed=8) * 0.1, 11025)
    seen: list[list[float]] = []

    def note(peaks, **options):
        seen.append(list(peaks))
        return [], []

    monkeypatch.setattr("opensoundscape.signal_processing.find_accel_sequences", note)
    reference_of(path)
    model = Cwt(GROUSE, "")

    with Sound.open(path) as sound:
        ours = [list(model.prepare(sound, start, start + 10.0)) for start in (0.0, 10.0, 20.0, 30.0)]

    assert ours == seen
    assert all(len(peaks) > 10 for peaks in ours)


def test_every_parameter_reaches_the_reference(tmp_path):
    path = write_sound(tmp_path / "drums.wav", drumming(8000, 10, at=(1.5,)), 8000)
    plain = reference_of(path).seq_len[0]

    assert scores_of(path)[1][0, 0] == plain
    for changed in (
        {"points_range": (int(plain) + 1, 100)},
        {"points_range": (1, int(plain) - 1)},
        {"duration_range": (10.0, 15.0)},
        {"dt_range": (0.3, 0.8)},
        {"dy_range": (-0.2, -0.1)},
        {"d2y_range": (0.1, 0.15)},
        {"peak_threshold": 1.5},
        {"peak_separation": 0.7},
        {"center_frequency": 150.0},
        {"sample_rate": 1000},
        {"wavelet": "mexh"},
        {"max_skip": 0},
    ):
        reference = reference_of(path, **changed)
        wanted = max(reference.seq_len, default=0)
        assert scores_of(path, CwtModel(class_name="grouse", **changed))[1][0, 0] == wanted, changed


def test_windows_may_overlap(tmp_path):
    path = write_sound(tmp_path / "drums.wav", drumming(8000, 20, at=(6.0,)), 8000)

    times, scores = scores_of(path, overlap=5.0)

    assert list(times.starts) == [0, 5, 10]
    # The last window holds the second half of the drumming alone.
    assert scores[1, 0] > scores[2, 0] > scores[0, 0] == 0


def test_silence_scores_nothing_and_says_nothing(tmp_path):
    path = write_sound(tmp_path / "silence.wav", np.zeros(8000 * 10), 8000)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scores_of(path)[1].tolist() == [[0.0]]


def test_a_recording_shorter_than_a_window_is_refused_with_the_reason(tmp_path):
    path = write_sound(tmp_path / "short.wav", noise(8000 * 9), 8000)

    with Sound.open(path) as sound, pytest.raises(DecodeFailed, match="10 s"):
        Cwt(GROUSE, "").clip_times(sound, 0.0)


def test_an_unknown_wavelet_is_refused_by_name():
    with pytest.raises(ConfigInvalid, match="morlet") as refused:
        Cwt(CwtModel(class_name="grouse", wavelet="morlet"), "")

    assert "morl" in refused.value.message


def test_a_job_finds_the_one_drumming(tmp_path):
    (tmp_path / "in").mkdir()
    write_sound(tmp_path / "in" / "drums.wav", drumming(16000, 30, at=(11.0,)), 16000)
    folder = make_job(tmp_path / "out", tmp_path / "in", GROUSE)

    run(folder)

    scores = predictions(folder)["grouse"]
    assert [score > 0 for score in scores] == [False, True, False]
