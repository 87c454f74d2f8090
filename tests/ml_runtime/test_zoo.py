"""The model zoo: what can run, why the rest cannot, and one real class with made weights."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import bioacoustics_model_zoo
import numpy as np
import pytest
import torch
from opensoundscape import CNN

from ml_runtime.models import requirements
from ml_runtime.models.facts import FACTS
from ml_runtime.models.names import nearest_names
from ml_runtime.models.registry import ModelProvider, list_models
from ml_runtime.models.zoo import _steps_of_older_preprocessors, load_zoo_model, why_unavailable
from rpc.cancel import CancelToken
from rpc.errors import ModelLoadFailed, ModelNotFound
from schemas.config import ZooModel
from tests.ml_runtime.jobs import make_job, predictions, run
from tests.ml_runtime.test_equality import assert_equal, reference_scores

WEIGHTS = "BMZ0001_rana_seirrae_cnn_v1-0.model"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """An empty place for torch hub to keep weights in."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    return checkpoints


@pytest.fixture
def no_network(monkeypatch):
    """Every look-up of an address fails, as without a connection."""

    def refuse(*arguments, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", refuse)


@pytest.fixture
def rana_weights(torch_home):
    """Weights of RanaSierraeCNN's architecture, made here, where torch hub looks for them."""
    from opensoundscape.ml.cnn_architectures import resnet18

    torch.manual_seed(3)
    torch.save(resnet18(num_classes=2, weights=None).state_dict(), torch_home / WEIGHTS)
    return torch_home / WEIGHTS


def test_every_model_of_the_zoo_is_listed_and_those_that_cannot_run_say_why():
    models = {model.name: model for model in list_models().models if model.source == "zoo"}

    assert set(models) == set(bioacoustics_model_zoo.list_models())
    assert all((model.reason is None) == model.available for model in models.values())
    assert models["RanaSierraeCNN"].available
    assert models["RanaSierraeCNN"].description


def test_listing_constructs_nothing(monkeypatch):
    def refuse(self, *arguments, **options):
        raise AssertionError("constructed")

    for model_class in bioacoustics_model_zoo.list_models().values():
        monkeypatch.setattr(model_class, "__init__", refuse)

    assert len(list_models().models) >= len(bioacoustics_model_zoo.list_models())


def test_ribbit_and_model_files_are_listed_too():
    assert {(model.source, model.available) for model in list_models().models} >= {
        ("ribbit", True),
        ("checkpoint", True),
    }


class MissingThisDependency:
    """This dependency missing! try `pip install no-such-package torch`"""


class Stub(MissingThisDependency):
    pass


class Separator:
    """Separates sounds."""


def test_a_stub_names_the_packages_that_are_missing():
    assert requirements.missing_packages(Stub) == ("no-such-package",)
    assert "no-such-package" in why_unavailable("Stub", Stub)


def test_a_model_that_scores_no_clips_says_so():
    assert "does not score clips" in why_unavailable("Separator", Separator)


@pytest.mark.parametrize(
    ("source", "lacking"),
    [
        ("import no_such_module", ["no_such_module"]),
        ("import os, no_such_module.part", ["no_such_module"]),
        ("from no_such_module.part import thing", ["no_such_module"]),
        ("import numpy\nfrom torch import nn", []),
        ("try:\n  import no_such_module\nexcept ImportError:\n  no_such_module = None", []),
        ("try:\n  import no_such_module\nexcept ImportError:\n  import json", []),
        ("try:\n  import no_such_module\nexcept ImportError:\n  raise ImportError('install it')", ["no_such_module"]),
        (
            "try:\n  import no_such_one\nexcept ModuleNotFoundError:\n"
            "  try:\n    import no_such_two\n  except ModuleNotFoundError:\n    raise",
            ["no_such_one"],
        ),
        ("try:\n  import numpy\nexcept ImportError:\n  raise", []),
    ],
)
def test_imports_are_read_with_their_alternatives(source, lacking):
    assert list(requirements._lacking_in(ast.parse(source).body)) == lacking


def test_a_class_whose_package_is_missing_is_refused_with_its_name():
    names = {model.name: model for model in list_models().models}
    name = next(model.name for model in names.values() if not model.available and "needs a package" in model.reason)

    with pytest.raises(ModelLoadFailed, match=name):
        load_zoo_model(ZooModel(name=name), "cpu")


def test_an_unknown_model_is_not_found_and_the_nearest_is_named():
    with pytest.raises(ModelNotFound, match="BirdNet2") as refused:
        ModelProvider().load(
            ZooModel(name="BirdNet2"), "cpu", trust=False, token=CancelToken(), tell=lambda message: None
        )

    assert "BirdNET" in refused.value.hint


def test_nearest_names_ignore_case():
    assert nearest_names("birdnet", ["Perch", "BirdNET"]) == ["BirdNET"]
    assert nearest_names("xyz", ["Perch"]) == []


def test_an_unknown_option_is_refused_with_its_name():
    with pytest.raises(ModelLoadFailed, match="versoin"):
        load_zoo_model(ZooModel(name="RanaSierraeCNN", options={"versoin": 2}), "cpu")


class Frogs(CNN):
    """Finds frogs."""

    def __init__(self, species=("toad",), channels=3):
        super().__init__("resnet18", list(species), 2.0, sample_rate=16000, channels=channels, arch_weights=None)


def test_options_reach_the_model(monkeypatch):
    monkeypatch.setattr("ml_runtime.models.zoo.zoo_classes", lambda: {"Frogs": Frogs})
    options = {"species": ["newt", "frog"], "channels": 1}

    model = load_zoo_model(ZooModel(name="Frogs", options=options), "cpu")

    assert model.card.classes == ("newt", "frog")
    assert model._model.preprocessor.channels == 1


def test_models_are_listed_with_what_people_want_to_know(torch_home):
    models = {model.name: model for model in list_models().models}

    birdnet = models["BirdNET"]
    assert (birdnet.title, birdnet.licence, birdnet.clip_seconds, birdnet.sample_rate) == (
        "BirdNET 2.4",
        "CC-BY-NC-SA-4.0",
        3.0,
        48000,
    )
    assert "Kahl" in birdnet.citation
    assert birdnet.class_count == 6522
    assert models["RIBBIT"].weights_cached is None
    for name in FACTS.keys() & models.keys():
        assert models[name].title, name


def test_what_is_listed_of_a_model_is_what_it_is(rana_weights):
    listed = next(model for model in list_models().models if model.name == "RanaSierraeCNN")

    card = load_zoo_model(ZooModel(name="RanaSierraeCNN"), "cpu").card

    assert listed.weights_cached is True
    assert (listed.clip_seconds, listed.sample_rate, listed.class_count) == (
        card.clip_seconds,
        card.sample_rate,
        len(card.classes),
    )


def test_weights_that_cannot_be_fetched_are_named_with_their_place(torch_home, no_network):
    with pytest.raises(ModelLoadFailed, match=WEIGHTS) as refused:
        load_zoo_model(ZooModel(name="RanaSierraeCNN"), "cpu")

    assert refused.value.path == str(torch_home / WEIGHTS)
    assert str(torch_home / WEIGHTS) in refused.value.hint
    assert not list(torch_home.iterdir())


def test_the_real_class_scores_as_its_own_predict(rana_weights, recordings, tmp_path, no_network):
    # Arrange
    few = tmp_path / "few"
    few.mkdir()
    for name in ("mono.wav", "music.mp3", "short.wav"):
        shutil.copy(recordings / name, few / name)
    folder = make_job(tmp_path / "output", few, ZooModel(name="RanaSierraeCNN"), clip_overlap_seconds=1.0)

    # Act
    outcome = run(folder)

    # Assert
    with warnings.catch_warnings(), _steps_of_older_preprocessors():
        warnings.simplefilter("ignore")
        reference = bioacoustics_model_zoo.RanaSierraeCNN()
    # The model hears recordings at their own rate, and the reference fails on a batch of two rates.
    theirs = reference_scores(reference, few, overlap_fraction=0.5, batch_size=1)
    ours = predictions(folder)
    assert_equal(ours, theirs)
    assert list(ours.columns) == ["rana_sierrae", "negative"]
    assert outcome.clips == len(theirs)
    assert np.std(ours.to_numpy()) > 0


def test_what_the_zoo_warns_of_is_told_in_the_summary(rana_weights, recordings, tmp_path):
    folder = make_job(tmp_path / "output", [recordings / "short.wav"], ZooModel(name="RanaSierraeCNN"))

    run(folder)

    assert "OpenSoundscape <0.13.0" in folder.summary_path.read_text("utf-8")


@pytest.mark.slow
def test_a_network_that_is_cut_off_is_told_at_once(tmp_path):
    """In a network name space of its own, in a process of its own: nothing is patched."""
    program = (
        f"import sys, os; sys.path.insert(0, {str(ROOT)!r}); os.environ['TORCH_HOME'] = {str(tmp_path)!r}\n"
        "from ml_runtime.models.registry import ModelProvider\n"
        "from rpc.cancel import CancelToken\nfrom rpc.errors import ModelLoadFailed\n"
        "from schemas.config import ZooModel\n"
        "try:\n"
        "    model = ZooModel(name='RanaSierraeCNN')\n"
        "    ModelProvider().load(model, 'cpu', trust=False, token=CancelToken(), tell=print)\n"
        "except ModelLoadFailed as error:\n    print(error.message)\n"
    )
    command = ["unshare", "-n", sys.executable, "-I", "-c", program]
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no network name space can be made here: `unshare -n` needs root on Linux")

    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    assert WEIGHTS in done.stdout
