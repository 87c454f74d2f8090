"""What a job says of how its scores were made is enough to make them again."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata

import duckdb
import msgspec
import pytest

from rpc.errors import ConfigInvalid
from schemas.config import CheckpointModel, CwtModel, OnnxModel
from survey.config import fingerprint
from survey.parts import read_parts
from survey.provenance import Provenance
from tests.ml_runtime.conftest import make_model
from tests.ml_runtime.jobs import make_job, predictions, run
from tests.ml_runtime.test_cwt import drumming
from tests.ml_runtime.test_onnx import CLASSES, RATE, SAMPLES, Network, export
from tests.sounds import write_sound


@pytest.fixture
def onnx_file(tmp_path):
    return OnnxModel(
        path=str(export(tmp_path / "frogs.onnx", Network(), (2, SAMPLES))), classes=CLASSES, sample_rate=RATE
    )


def environment_of(folder) -> dict:
    return json.loads(folder.environment_path.read_text("utf-8"))


def recorded_in_parquet(path) -> Provenance:
    query = "SELECT value FROM parquet_kv_metadata(?) WHERE key = 'provenance'"
    (value,) = duckdb.execute(query, [str(path)]).fetchone()
    (made_with,) = msgspec.json.decode(value, type=list[Provenance])
    return made_with


def test_environment_and_parquet_say_what_made_the_scores(checkpoint, recordings, tmp_path):
    # Arrange
    formats = ("csv", "parquet")
    files = [recordings / "mono.wav", recordings / "old.ogg"]
    folder = make_job(tmp_path, files, CheckpointModel(path=str(checkpoint)), formats=formats, batch_size=3)

    # Act
    run(folder)

    # Assert
    made_with = recorded_in_parquet(folder.predictions_parquet_path)
    assert made_with.model == checkpoint.stem
    assert made_with.weights == f"sha256:{hashlib.sha256(checkpoint.read_bytes()).hexdigest()}"
    assert made_with.fingerprint == fingerprint(folder.read_config())
    assert (made_with.device, made_with.batch_size) == ("cpu", 3)
    for package in ("torch", "opensoundscape", "numpy", "onnxruntime"):
        assert made_with.packages[package] == metadata.version(package)
    assert all(part.header.made_with == made_with for part in read_parts(folder.scores_path))
    environment = environment_of(folder)
    for name, value in msgspec.to_builtins(made_with).items():
        assert environment[name] == value, name


@pytest.mark.parametrize("source", ["checkpoint", "onnx", "cwt"])
def test_the_same_job_with_what_is_recorded_gives_the_same_bytes(source, checkpoint, onnx_file, recordings, tmp_path):
    # Arrange
    drums = write_sound(tmp_path / "drums.wav", drumming(8000, 20, at=(1.5,)), 8000)
    models = {"checkpoint": CheckpointModel(path=str(checkpoint)), "onnx": onnx_file, "cwt": CwtModel(class_name="g")}
    some = [recordings / name for name in ("mono.wav", "stereo.wav", "short.wav")]
    files = [drums] if source == "cwt" else some
    first = make_job(tmp_path / "first", files, models[source])
    run(first)
    recorded = environment_of(first)

    # Act
    again = make_job(tmp_path / "again", files, models[source], batch_size=recorded["batchSize"])
    run(again)

    # Assert
    assert again.predictions_path.read_bytes() == first.predictions_path.read_bytes()
    assert predictions(first).to_numpy().std() > 0 or source == "cwt"
    assert environment_of(again)["weights"] == recorded["weights"]
    assert environment_of(again)["fingerprint"] == recorded["fingerprint"]


def test_other_weights_have_another_name_and_are_not_mixed_in(tmp_path, recordings):
    path = tmp_path / "model.pt"
    make_model(seed=1).save(path)
    folder = make_job(tmp_path / "out", [recordings / "short.wav"], CheckpointModel(path=str(path)))
    run(folder)
    before = environment_of(folder)["weights"]
    make_model(seed=2).save(path)

    with pytest.raises(ConfigInvalid, match="model has changed"):
        run(folder)

    other = make_job(tmp_path / "other", [recordings / "short.wav"], CheckpointModel(path=str(path)))
    run(other)
    assert environment_of(other)["weights"] != before
