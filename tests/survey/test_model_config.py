"""Models that contradict themselves are told of before any work."""

from __future__ import annotations

import msgspec
import pytest

from schemas.config import (
    CheckpointModel,
    Config,
    CwtModel,
    InputConfig,
    OnnxModel,
    OutputConfig,
    PythonModel,
    ZooModel,
)
from survey.config import check_config, fingerprint, normalised
from survey.model_config import known_clip_seconds, model_contradictions

WEIGHTS = {"architecture": "resnet18", "classes": ["toad", "frog"], "sampleRate": 16000, "clipSeconds": 3.0}


def faults_of(model: dict, **inference) -> dict[str, str]:
    document = {"model": model, "input": {}, "output": {"folder": "out"}, "inference": inference}
    return {problem.path: problem.message for problem in check_config(document)}


@pytest.mark.parametrize(
    "model",
    [
        {"source": "checkpoint", "path": "m.pt"},
        {"source": "checkpoint", "path": "m.pt", **WEIGHTS},
        {"source": "onnx", "path": "m.onnx", "classes": ["toad"], "sampleRate": 32000},
        {"source": "python", "path": "m.py", "className": "Mine", "options": {"depth": 3}},
        {"source": "cwt", "className": "grouse"},
        {"source": "cwt", "className": "grouse", "windowLen": 60, "d2yRange": [-0.05, 0.15], "pointsRange": [9, 9]},
    ],
)
def test_what_can_be_run_has_no_faults(model):
    assert faults_of(model) == {}


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ({"source": "checkpoint", "path": "m.pt", **WEIGHTS, "architecture": None}, "$.model.architecture"),
        ({"source": "checkpoint", "path": "m.pt", "classes": ["toad"]}, "$.model.architecture"),
        ({"source": "checkpoint", "path": "m.pt", **WEIGHTS, "classes": ["toad", "toad"]}, "$.model.classes"),
        ({"source": "checkpoint", "path": "m.pt", **WEIGHTS, "clipSeconds": 0}, "$.model.clipSeconds"),
        ({"source": "onnx", "path": "m.onnx", "classes": [], "sampleRate": 32000}, "$.model.classes"),
        ({"source": "onnx", "path": "m.onnx", "classes": ["a", "a"], "sampleRate": 32000}, "$.model.classes"),
        ({"source": "onnx", "path": "m.onnx", "classes": ["a"]}, "$.model"),
        ({"source": "python", "path": "m.py"}, "$.model"),
        ({"source": "cwt", "className": "grouse", "dtRange": [0.8, 0.05]}, "$.model.dtRange"),
        ({"source": "cwt", "className": "grouse", "centerFrequency": 201}, "$.model.centerFrequency"),
        ({"source": "cwt", "className": "grouse", "window": 10}, "$.model.window"),
    ],
)
def test_what_cannot_is_told_with_its_place(model, place):
    assert any(found.startswith(place) for found in faults_of(model)), faults_of(model)


@pytest.mark.parametrize(
    "model",
    [
        {"source": "cwt", "className": "grouse"},
        {"source": "onnx", "path": "m.onnx", "classes": ["a"], "sampleRate": 32000, "clipSeconds": 10},
        {"source": "checkpoint", "path": "m.pt", **WEIGHTS, "clipSeconds": 10},
    ],
)
def test_clips_cannot_overlap_by_their_whole_length(model):
    assert "$.inference.clipOverlapSeconds" in faults_of(model, clipOverlapSeconds=10.0)
    assert faults_of(model, clipOverlapSeconds=9.5) == {}


def test_the_clip_length_is_known_where_the_config_says_it():
    assert known_clip_seconds(CwtModel(class_name="grouse")) == 10
    assert known_clip_seconds(ZooModel(name="Perch")) is None
    assert not list(model_contradictions(ZooModel(name="Perch")))


@pytest.mark.parametrize(
    "model",
    [
        CheckpointModel(path="m.pt"),
        OnnxModel(path="m.pt", classes=("a",), sample_rate=1),
        PythonModel(path="m.pt", class_name="M"),
    ],
)
def test_paths_of_models_become_absolute(model, tmp_path):
    config = Config(model=model, input=InputConfig(), output=OutputConfig(folder="out"))

    assert msgspec.to_builtins(normalised(config, tmp_path).model)["path"] == str(tmp_path / "m.pt")


def test_jobs_begun_before_bare_weights_were_read_keep_their_fingerprint():
    model = CheckpointModel(path="/m.pt")
    config = Config(model=model, input=InputConfig(), output=OutputConfig(folder="/out"))
    described = msgspec.structs.replace(config, model=msgspec.structs.replace(model, architecture="resnet18"))

    assert fingerprint(config) == "e2011b3757ded2f29321c58fb9652f6f232701aedcb16e54708375a848422b62"
    assert fingerprint(described) != fingerprint(config)
