"""Model files: opened without network and without running their code, refused with reasons."""

from __future__ import annotations

import copy
import pickle
import socket
import zipfile

import numpy as np
import pytest
import torch

from ml_runtime.models.checkpoint import load_checkpoint
from ml_runtime.models.registry import ModelProvider
from ml_runtime.sound import Sound
from rpc.cancel import CancelToken
from rpc.errors import FileMissing, ModelLoadFailed
from schemas.config import CheckpointModel
from tests.ml_runtime.conftest import CLASSES, make_model


def load(path, *, trust=False):
    return load_checkpoint(CheckpointModel(path=str(path)), path, "cpu", trust=trust, version="0.13.2")


@pytest.fixture
def parts(checkpoint):
    """What a model file holds, to be changed and saved again."""
    return torch.load(checkpoint, weights_only=False)


def test_a_model_file_loads_without_trust_and_without_network(checkpoint, monkeypatch):
    # Arrange
    def refuse(*arguments, **options):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    # Act
    card = load(checkpoint).card

    # Assert
    assert card.classes == tuple(CLASSES)
    assert (card.clip_seconds, card.sample_rate, card.device) == (2.0, 16000, "cpu")
    assert card.weights.startswith("sha256:")
    assert card.notes == ()


def test_the_weights_are_those_of_the_file(checkpoint, parts):
    network = load(checkpoint)._model.network

    assert all(torch.equal(value, parts["weights"][name]) for name, value in network.state_dict().items())
    assert not network.training


def test_what_the_file_says_of_the_model_is_honoured(tmp_path):
    path = tmp_path / "single.pt"
    make_model(single_target=True, sample_duration=1.5, sample_rate=22050, channels=1, bandpass_range=(500, 8000)).save(
        path
    )

    model = load(path)

    assert (model.card.clip_seconds, model.card.sample_rate) == (1.5, 22050)
    assert model._model.single_target is True
    assert model._preprocessor.channels == 1
    assert model._preprocessor.pipeline.bandpass.params["max_f"] == 8000


def test_a_pickled_object_is_opened_only_with_trust(pickled_checkpoint):
    with pytest.raises(ModelLoadFailed, match="pickled") as refused:
        load(pickled_checkpoint)

    assert "trust" in refused.value.hint
    assert load(pickled_checkpoint, trust=True).card.classes == tuple(CLASSES)


def test_a_pickle_that_runs_code_does_not_run_without_trust(tmp_path):
    # Arrange
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    torch.save({"weights": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Evil()))
    marker.unlink(missing_ok=True)

    # Act, Assert
    for name in ("evil.pt", "bare.pt"):
        with pytest.raises(ModelLoadFailed):
            load(tmp_path / name)
        assert not marker.exists()


def evil_transform(recipe):
    step = {"class": "opensoundscape.preprocess.actions.TorchTransforms", "is_augmentation": False, "bypass": False}
    recipe["pipeline"]["evil"] = {
        **step,
        "params": {},
        "transforms": [{"module": "os", "class": "system", "params": {"command": "false"}}],
    }


def evil_function(recipe):
    step = copy.deepcopy(recipe["pipeline"]["rescale"])
    recipe["pipeline"]["evil"] = {**step, "action_fn": "opensoundscape.audio.Audio.save", "params": {"path": "/tmp/x"}}


def evil_address(recipe):
    step = copy.deepcopy(recipe["pipeline"]["rescale"])
    recipe["pipeline"]["evil"] = {**step, "action_fn": "opensoundscape.audio.Audio.from_url", "params": {}}


@pytest.mark.parametrize("spoil", [evil_transform, evil_function, evil_address])
def test_preprocessing_that_reaches_out_is_refused(tmp_path, parts, spoil):
    spoil(parts["preprocessor_dict"])
    torch.save(parts, tmp_path / "evil.pt")

    with pytest.raises(ModelLoadFailed, match="evil"):
        load(tmp_path / "evil.pt")


def test_preprocessing_by_torch_transforms_is_welcome(tmp_path):
    from opensoundscape.preprocess.preprocessors import TorchSpectrogramPreprocessor

    path = tmp_path / "transforms.pt"
    model = make_model(channels=1)
    model.preprocessor = TorchSpectrogramPreprocessor(sample_duration=2.0, sample_rate=16000, n_mels=64)
    model.save(path)

    assert load(path).card.clip_seconds == 2.0


def not_a_model(path, parts):
    path.write_bytes(b"no model at all")


def an_empty_file(path, parts):
    path.write_bytes(b"")


def another_archive(path, parts):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def a_cut_off_file(path, parts):
    torch.save(parts, path)
    path.write_bytes(path.read_bytes()[:-1000])


def bare_weights(path, parts):
    torch.save(parts["weights"], path)


def a_list(path, parts):
    torch.save([1, 2, 3], path)


def an_unknown_architecture(path, parts):
    torch.save({**parts, "architecture": "resnet19"}, path)


def an_unknown_class(path, parts):
    torch.save({**parts, "class": "bioacoustics_model_zoo.HawkEars"}, path)


def weights_of_another_network(path, parts):
    torch.save({**parts, "architecture": "resnet34"}, path)


def no_preprocessor(path, parts):
    torch.save({name: value for name, value in parts.items() if name != "preprocessor_dict"}, path)


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    "spoil",
    [
        not_a_model,
        an_empty_file,
        another_archive,
        a_cut_off_file,
        bare_weights,
        a_list,
        an_unknown_architecture,
        an_unknown_class,
        weights_of_another_network,
        no_preprocessor,
    ],
)
def test_every_bad_file_is_refused_with_its_name(tmp_path, parts, spoil, trust):
    path = tmp_path / "bad.pt"
    spoil(path, parts)

    with pytest.raises(ModelLoadFailed, match=r"bad\.pt"):
        load(path, trust=trust)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileMissing, match=r"none\.pt"):
        load(tmp_path / "none.pt")


def test_a_model_of_another_version_loads_with_a_note(tmp_path, parts):
    torch.save({**parts, "opensoundscape_version": "0.13.0"}, tmp_path / "older.pt")

    (note,) = load(tmp_path / "older.pt").card.notes

    assert "0.13.0" in note


def test_the_model_is_kept_until_its_file_changes(checkpoint, tmp_path):
    # Arrange
    path = tmp_path / "kept.pt"
    path.write_bytes(checkpoint.read_bytes())
    provider, told = ModelProvider(), []

    def get(**options):
        wanted = {"trust": False, "token": CancelToken(), "tell": told.append, **options}
        return provider.load(CheckpointModel(path=str(path)), "cpu", **wanted)

    # Act
    first, again = get(), get()
    make_model(seed=1).save(path)
    changed = get()

    # Assert
    assert again is first
    assert changed is not first
    assert changed.card.weights != first.card.weights
    assert told == ["loading the model"] * 2


def test_a_trusted_model_is_not_handed_to_a_run_without_trust(pickled_checkpoint):
    provider, config = ModelProvider(), CheckpointModel(path=str(pickled_checkpoint))
    options = {"token": CancelToken(), "tell": lambda message: None}
    provider.load(config, "cpu", trust=True, **options)

    with pytest.raises(ModelLoadFailed):
        provider.load(config, "cpu", trust=False, **options)


def test_a_file_from_before_0_13_loads_as_the_reference_loads_it(tmp_path, parts, recordings, load_reference):
    # Arrange: what 0.12 wrote differs in these fields
    recipe = parts["preprocessor_dict"]
    recipe["pipeline"]["load_audio"]["params"]["sample_rate"] = 16000
    recipe["init_kwargs"].pop("sample_rate")
    recipe["pipeline"]["to_spec"]["action_fn"] = "opensoundscape.spectrogram.Spectrogram.from_audio"
    recipe["pipeline"]["to_spec"]["params"] = {}
    recipe["pipeline"]["to_tensor"]["params"].pop("dB")
    del parts["sample_rate"], parts["preprocessor_cls"]
    path = tmp_path / "old.pt"
    torch.save({**parts, "opensoundscape_version": "0.12.1"}, path)

    # Act
    ours, theirs = load(path), load_reference(path)

    # Assert
    sample = theirs.preprocessor.forward((str(recordings / "mono.wav"), 0.0), bypass_augmentations=True)
    with Sound.open(recordings / "mono.wav") as sound:
        prepared = ours.prepare(sound, 0.0, 2.0)
    assert np.allclose(prepared.data, sample.data)
    assert "0.12.1" in ours.card.notes[0]
