"""Runs under the ML interpreter. One process imports OpenSoundscape (6 s) for all tests here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from tests.sounds import noise, tone, write_sound

if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["*"]
else:
    from ml_runtime.compat import make_importable

    make_importable()

CLASSES = ["toad", "frog", "Newt"]


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings as they come: channels, rates, formats, lengths. The last clip of each is incomplete."""
    folder = tmp_path_factory.mktemp("recordings")
    write_sound(folder / "mono.wav", noise(16000 * 7, seed=1), 16000)
    write_sound(folder / "stereo.wav", noise(int(44100 * 5.3), channels=2, seed=2), 44100)
    write_sound(folder / "eight.flac", noise(int(48000 * 4.5), channels=8, seed=3), 48000)
    write_sound(folder / "low.wav", noise(int(22050 * 6.1), seed=4), 22050, "PCM_24")
    write_sound(folder / "music.mp3", tone(1000, 44100, 6.7), 44100)
    write_sound(folder / "old.ogg", tone(2000, 32000, 3.9), 32000)
    write_sound(folder / "short.wav", noise(int(16000 * 0.14), seed=5), 16000)
    write_sound(folder / "float.wav", noise(int(16000 * 2.5), seed=6), 16000, "DOUBLE")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A resnet18 as OpenSoundscape saves it, small clips for speed: 2 s at 16 kHz, 64 by 64."""
    path = tmp_path_factory.mktemp("models") / "resnet.pt"
    make_model().save(path)
    return path


@pytest.fixture(scope="session")
def pickled_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network as a whole pickled object."""
    path = tmp_path_factory.mktemp("models") / "pickled.pt"
    make_model().save(path, pickle=True)
    return path


def make_model(seed: int = 0, **options):
    """A classifier of OpenSoundscape's with random weights."""
    import torch
    from opensoundscape import CNN

    torch.manual_seed(seed)
    shape = {"sample_duration": 2.0, "sample_rate": 16000, "height": 64, "width": 64, "channels": 3}
    model = CNN(architecture="resnet18", classes=CLASSES, arch_weights=None, **{**shape, **options})
    # Batch normalisation that has seen nothing would make the scores of all clips nearly equal.
    generator = torch.Generator().manual_seed(seed)
    for module in model.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return model


@pytest.fixture(scope="session")
def load_reference() -> Callable:
    """`opensoundscape.load_model`, with the weights that it downloads only to overwrite them left out."""

    def load(path: Path):
        import opensoundscape
        from opensoundscape.ml import cnn_architectures

        def without_download(classes, weights=None, **options):
            return cnn_architectures.resnet18(classes, weights=None, **options)

        with mock.patch.dict(cnn_architectures.ARCH_DICT, {"resnet18": without_download}):
            return opensoundscape.load_model(path, device="cpu")

    return load


@pytest.fixture
def no_new_threads() -> Iterator[None]:
    """Fail when a test leaves a thread of ours behind."""
    import threading

    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(2)
        assert not thread.is_alive(), thread.name


def equal(ours, theirs, tolerance: float) -> bool:
    """Whether two arrays are equal within `tolerance`, and none of theirs is missing."""
    return bool(np.allclose(ours, theirs, rtol=0, atol=tolerance))
