"""ONNX files give the scores that torch gives, and say what is wrong with them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from ml_runtime.models.onnx import load_onnx
from ml_runtime.models.waveform import read_waveform
from ml_runtime.sound import Sound
from rpc.errors import ConfigInvalid, FileMissing, ModelLoadFailed
from schemas.config import OnnxModel
from tests.ml_runtime.jobs import make_job, predictions, run

RATE, SECONDS, CLASSES = 8000, 1.5, ("toad", "frog", "newt")
SAMPLES = int(RATE * SECONDS)


class Network(torch.nn.Module):
    """Two layers over a waveform, [batch, samples] or [batch, 1, samples]."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.filters = torch.nn.Conv1d(1, 8, 64, stride=16)
        self.scores = torch.nn.Linear(8, outputs)

    def forward(self, waveforms):
        waveforms = waveforms if waveforms.ndim == 3 else waveforms[:, None]
        return 10 * self.scores(torch.relu(self.filters(waveforms)).mean(-1))


class TwoOutputs(Network):
    """An embedding before the scores, as models for birds have."""

    def forward(self, waveforms):
        return waveforms[:, :7], super().forward(waveforms)


def export(path: Path, network: torch.nn.Module, shape: tuple[int, ...], open_axes: tuple[int, ...] = (0,)) -> Path:
    names = {axis: f"axis{axis}" for axis in open_axes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.zeros(shape),),
            str(path),
            dynamo=False,
            input_names=["sound"],
            dynamic_axes={"sound": names} if names else None,
        )
    return path


def config_of(path: Path, **changed) -> OnnxModel:
    return OnnxModel(**{"path": str(path), "classes": CLASSES, "sample_rate": RATE, "clip_seconds": None, **changed})


@pytest.mark.parametrize(
    ("shape", "open_axes", "clip_seconds"),
    [
        ((2, SAMPLES), (0,), None),
        ((2, 1, SAMPLES), (0,), SECONDS),
        ((1, SAMPLES), (), None),
        ((4, SAMPLES), (), None),
        ((2, SAMPLES), (0, 1), SECONDS),
    ],
    ids=["open batch", "channel", "one clip", "four clips", "any length"],
)
def test_a_job_gives_the_scores_of_torch(tmp_path, recordings, shape, open_axes, clip_seconds):
    # Arrange
    network = Network()
    path = export(tmp_path / "frogs.onnx", network, shape, open_axes)
    files = [recordings / name for name in ("mono.wav", "stereo.wav", "short.wav")]
    folder = make_job(tmp_path / "out", files, config_of(path, clip_seconds=clip_seconds))

    # Act
    run(folder)

    # Assert
    ours = predictions(folder)
    assert list(ours.columns) == list(CLASSES)
    with torch.no_grad():
        for (file, start, end), scores in ours.iterrows():
            assert end - start == SECONDS
            with Sound.open(Path(file)) as sound:
                waveform = torch.from_numpy(read_waveform(sound, start, SECONDS, RATE))
            assert np.abs(network(waveform[None])[0].numpy() - scores.to_numpy()).max() < 1e-5
    assert ours.std().min() > 1e-3, "the scores must differ for the comparison to mean anything"


def test_activation_and_classes_count_for_onnx_files_too(tmp_path, recordings):
    path = export(tmp_path / "frogs.onnx", Network(), (2, SAMPLES))
    plain = make_job(tmp_path / "plain", [recordings / "mono.wav"], config_of(path))
    chosen = {"activation": "softmax", "classes": ("newt", "toad")}
    other = make_job(tmp_path / "other", [recordings / "mono.wav"], config_of(path), **chosen)

    run(plain)
    run(other)

    powers = np.exp(predictions(plain))
    wanted = powers.div(powers.sum(axis=1), axis=0)[["toad", "newt"]]
    assert list(predictions(other).columns) == ["toad", "newt"]
    assert np.allclose(predictions(other), wanted, atol=1e-6)


def test_the_scores_are_the_output_with_a_number_for_each_class(tmp_path):
    path = export(tmp_path / "frogs.onnx", TwoOutputs(), (2, SAMPLES))

    scores = load_onnx(config_of(path), path, "cpu").score([np.ones(SAMPLES, dtype=np.float32)])

    assert scores.shape == (1, 3)


def test_the_clip_length_is_read_from_the_file(tmp_path):
    path = export(tmp_path / "frogs.onnx", Network(), (2, SAMPLES))

    card = load_onnx(config_of(path), path, "cpu").card

    assert (card.clip_seconds, card.sample_rate, card.classes) == (SECONDS, RATE, CLASSES)
    assert card.weights.startswith("sha256:")


def test_a_clip_length_that_the_file_contradicts_is_refused(tmp_path):
    path = export(tmp_path / "frogs.onnx", Network(), (2, SAMPLES))

    with pytest.raises(ConfigInvalid, match="12000 samples"):
        load_onnx(config_of(path, clip_seconds=2.0), path, "cpu")


def test_a_file_for_any_length_needs_one_in_the_config(tmp_path):
    path = export(tmp_path / "frogs.onnx", Network(), (2, SAMPLES), open_axes=(0, 1))

    with pytest.raises(ConfigInvalid, match="clipSeconds"):
        load_onnx(config_of(path), path, "cpu")


def test_another_number_of_classes_is_refused_with_what_the_file_gives(tmp_path):
    path = export(tmp_path / "frogs.onnx", Network(), (2, SAMPLES))

    with pytest.raises(ModelLoadFailed, match="2 classes"):
        load_onnx(config_of(path, classes=("toad", "frog")), path, "cpu")


def test_a_network_for_pictures_is_refused_with_its_shape(tmp_path):
    path = export(tmp_path / "pictures.onnx", torch.nn.Flatten(), (2, 3, 8, 8))

    with pytest.raises(ModelLoadFailed, match=r"3, 8, 8"):
        load_onnx(config_of(path), path, "cpu")


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07\x12\x04test"])
def test_what_is_no_onnx_file_is_refused_with_its_name(tmp_path, content):
    (tmp_path / "bad.onnx").write_bytes(content)

    with pytest.raises(ModelLoadFailed, match=r"bad\.onnx"):
        load_onnx(config_of(tmp_path / "bad.onnx"), tmp_path / "bad.onnx", "cpu")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileMissing, match=r"none\.onnx"):
        load_onnx(config_of(tmp_path / "none.onnx"), tmp_path / "none.onnx", "cpu")
