"""A stretch of a recording reads as OpenSoundscape's Audio.from_file gives it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from opensoundscape import Audio

from ml_runtime.models.classifier import Classifier
from ml_runtime.models.protocol import ModelCard
from ml_runtime.sound import Sound
from rpc.errors import DecodeFailed, FileMissing
from tests.ml_runtime.conftest import make_model
from tests.sounds import noise, write_sound

NAMES = ["mono.wav", "stereo.wav", "eight.flac", "low.wav", "music.mp3", "old.ogg", "short.wav", "float.wav"]


def reference_audio(path, start: float) -> Audio | None:
    """What the reference reads; None where it fails or finds nothing."""
    try:
        audio = Audio.from_file(path, sample_rate=16000, offset=start, duration=2.0, out_of_bounds_mode="ignore")
    except Exception:  # noqa: BLE001  (whatever its libraries raise beyond the end)
        return None
    return audio if len(audio.samples) else None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", [0.0, 1.0, 2.7000000001])
def test_samples_are_those_of_the_reference(recordings, name, start):
    # Arrange
    path = recordings / name
    model = Classifier(make_model(), ModelCard("", (), 2.0, 16000, ""))
    reference = reference_audio(path, start)

    # Act, Assert
    with Sound.open(path) as sound:
        if reference is None:
            with pytest.raises(DecodeFailed):
                model._read(sound, start, 2.0)
        else:
            audio = model._read(sound, start, 2.0)
            assert audio.sample_rate == reference.sample_rate == 16000
            # Integer PCM and lossy formats are read exactly; double precision through float32.
            tolerance = 1e-7 if name == "float.wav" else 0
            assert np.abs(audio.samples - reference.samples).max() <= tolerance


def test_threads_may_share_a_sound(recordings):
    with Sound.open(recordings / "music.mp3") as sound:
        stretches = [(index * 0.31, 0.5) for index in range(20)]
        alone = [sound.read_stretch(*stretch) for stretch in stretches]

        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda stretch: sound.read_stretch(*stretch), stretches * 3))

    assert all(np.array_equal(one, alone[index % 20]) for index, one in enumerate(together))


def test_beyond_the_end_there_is_nothing(recordings):
    with Sound.open(recordings / "short.wav") as sound:
        assert len(sound.read_stretch(0.1, 5.0)) == sound.frames - 1600
        assert len(sound.read_stretch(1.0, 5.0)) == 0


def test_what_cannot_be_opened_says_why(tmp_path):
    write_sound(tmp_path / "empty.wav", noise(0))
    (tmp_path / "broken.wav").write_bytes(b"RIFF....WAVE")

    with pytest.raises(DecodeFailed, match="no samples"):
        Sound.open(tmp_path / "empty.wav")
    with pytest.raises(DecodeFailed, match="broken"):
        Sound.open(tmp_path / "broken.wav")
    with pytest.raises(FileMissing):
        Sound.open(tmp_path / "missing.wav")
