"""Bare weights with a description in the config score as the whole model file does."""

from __future__ import annotations

import msgspec
import pytest
import torch

from ml_runtime.models.checkpoint import load_checkpoint
from rpc.errors import ModelLoadFailed
from schemas.config import CheckpointModel
from tests.ml_runtime.conftest import CLASSES
from tests.ml_runtime.jobs import make_job, predictions, run
from tests.ml_runtime.test_equality import assert_equal

DESCRIBED = {"architecture": "resnet18", "classes": tuple(CLASSES), "sample_rate": 16000, "clip_seconds": 2.0}


@pytest.fixture(scope="module")
def model():
    """OpenSoundscape's own, with its default spectrograms."""
    from opensoundscape import CNN

    torch.manual_seed(5)
    return CNN("resnet18", CLASSES, sample_duration=2.0, sample_rate=16000, arch_weights=None)


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "bare.pt"
    torch.save(model.network.state_dict(), path)
    return path


def load(path, **changed):
    config = CheckpointModel(path=str(path), **{**DESCRIBED, **changed})
    return load_checkpoint(config, path, "cpu", trust=False, version="0.13.2")


def test_bare_weights_score_as_the_whole_model(model, weights, recordings, tmp_path):
    whole = tmp_path / "whole.pt"
    model.save(whole)
    files = [recordings / "mono.wav", recordings / "short.wav"]
    ours = make_job(tmp_path / "ours", files, CheckpointModel(path=str(weights), **DESCRIBED))
    theirs = make_job(tmp_path / "theirs", files, CheckpointModel(path=str(whole)))

    run(ours)
    run(theirs)

    assert_equal(predictions(ours), predictions(theirs), tolerance=1e-9)


@pytest.mark.parametrize(
    ("wrapper", "prefix"), [(None, "module."), ("state_dict", "model."), ("model_state_dict", "_orig_mod.module.")]
)
def test_what_training_programs_wrap_is_found(weights, tmp_path, prefix, wrapper):
    state = {f"{prefix}{name}": value for name, value in torch.load(weights).items()}
    path = tmp_path / "wrapped.pt"
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 7}, path)

    network = load(path)._model.network

    assert torch.equal(network.state_dict()["fc.weight"], torch.load(weights)["fc.weight"])
    assert not network.training


def test_one_channel_is_told_by_the_weights(tmp_path):
    from opensoundscape.ml.cnn_architectures import resnet18

    torch.save(resnet18(num_classes=3, weights=None, num_channels=1).state_dict(), tmp_path / "one.pt")

    assert load(tmp_path / "one.pt")._model.preprocessor.channels == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"classes": ("toad", "frog")}, "fc.weight is 3x512, not 2x512"),
        ({"architecture": "resnet50"}, "resnet50 with 3 classes"),
        ({"architecture": "resnet81"}, "resnet81"),
        ({"sample_rate": None}, "sampleRate"),
        (dict.fromkeys(DESCRIBED), "architecture"),
    ],
)
def test_a_description_that_does_not_fit_is_refused_with_the_reason(weights, changed, said):
    with pytest.raises(ModelLoadFailed, match=said):
        load(weights, **changed)


def test_a_whole_model_file_is_not_described_again(checkpoint):
    with pytest.raises(ModelLoadFailed, match="architecture"):
        load(checkpoint)


def test_a_config_without_a_description_reads_as_it_always_did():
    """The fingerprints of jobs that were begun before there were bare weights must not change."""
    assert msgspec.json.encode(CheckpointModel(path="m.pt")) == b'{"source":"checkpoint","path":"m.pt"}'
