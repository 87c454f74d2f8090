"""A whole job gives the scores of `opensoundscape.load_model(...).predict(...)`: rows, times, classes, numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from schemas.config import CheckpointModel
from tests.ml_runtime.conftest import CLASSES, make_model
from tests.ml_runtime.jobs import make_job, predictions, run
from tests.sounds import noise, write_sound


def reference_scores(model, recordings, **options) -> pd.DataFrame:
    files = [str(path) for path in sorted(recordings.iterdir())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.predict(files, **{"batch_size": 8, "progress_bar": False, **options})


def assert_equal(ours: pd.DataFrame, theirs: pd.DataFrame, tolerance=1e-5) -> None:
    assert list(ours.columns) == list(theirs.columns)
    assert [key[0] for key in ours.index] == [key[0] for key in theirs.index]
    for level in ("start_time", "end_time"):
        assert np.array_equal(ours.index.get_level_values(level), theirs.index.get_level_values(level))
    assert np.array_equal(ours.isna(), theirs.isna())
    assert np.nanmax(np.abs(ours.to_numpy() - theirs.to_numpy())) < tolerance


@pytest.mark.parametrize("overlap", [0.0, 1.0, 0.7])
def test_a_job_gives_the_scores_of_predict(checkpoint, recordings, load_reference, tmp_path, overlap):
    # Arrange
    reference = load_reference(checkpoint)
    folder = make_job(tmp_path, recordings, CheckpointModel(path=str(checkpoint)), clip_overlap_seconds=overlap)

    # Act
    outcome = run(folder)
    theirs = reference_scores(reference, recordings, overlap_fraction=overlap / 2.0)

    # Assert
    ours = predictions(folder)
    assert_equal(ours, theirs)
    assert ours.std().min() > 1e-3, "the scores must differ for the comparison to mean anything"
    assert outcome.clips == len(ours) == theirs.shape[0]
    assert outcome.files_failed == 0


@pytest.mark.parametrize(("ours", "theirs"), [("sigmoid", "sigmoid"), ("softmax", "softmax")])
def test_activations_are_those_of_predict(checkpoint, recordings, load_reference, tmp_path, ours, theirs):
    folder = make_job(tmp_path, recordings, CheckpointModel(path=str(checkpoint)), activation=ours)

    run(folder)

    assert_equal(predictions(folder), reference_scores(load_reference(checkpoint), recordings, activation_layer=theirs))


@pytest.mark.parametrize("options", [{"batch_size": 1, "workers": 3}, {"batch_size": 32, "workers": 1}])
def test_batches_and_threads_do_not_change_the_scores(checkpoint, recordings, tmp_path, options):
    plain = make_job(tmp_path / "plain", recordings, CheckpointModel(path=str(checkpoint)))
    other = make_job(tmp_path / "other", recordings, CheckpointModel(path=str(checkpoint)), **options)

    run(plain)
    run(other)

    assert_equal(predictions(other), predictions(plain))


def test_classes_are_chosen_in_the_order_of_the_model(checkpoint, recordings, load_reference, tmp_path):
    folder = make_job(tmp_path, recordings, CheckpointModel(path=str(checkpoint)), classes=("Newt", "toad"))

    run(folder)

    theirs = reference_scores(load_reference(checkpoint), recordings)
    assert CLASSES == ["toad", "frog", "Newt"]
    assert_equal(predictions(folder), theirs[["toad", "Newt"]])


def test_a_trusted_pickled_model_scores_as_it_is(pickled_checkpoint, recordings, tmp_path):
    folder = make_job(tmp_path, recordings, CheckpointModel(path=str(pickled_checkpoint)))

    run(folder, trust=True)

    reference = torch.load(pickled_checkpoint, weights_only=False)
    assert_equal(predictions(folder), reference_scores(reference, recordings))


def test_a_single_target_model_without_a_sample_rate(recordings, load_reference, tmp_path):
    """Without a rate clips are not resampled; rates mix in one batch, which a fixed picture size allows."""
    path = tmp_path / "native.pt"
    make_model(sample_rate=None, single_target=True, bandpass_range=(0, 8000)).save(path)
    folder = make_job(tmp_path / "output", recordings, CheckpointModel(path=str(path)))

    run(folder)

    assert_equal(predictions(folder), reference_scores(load_reference(path), recordings))


@pytest.mark.slow
@pytest.mark.parametrize("overlap", [0.0, 1.5])
def test_the_default_picture_of_3_seconds_at_32_kilohertz(load_reference, tmp_path, overlap):
    # Arrange
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    write_sound(recordings / "a.wav", noise(32000 * 10, seed=1), 32000)
    write_sound(recordings / "b.flac", noise(int(44100 * 7.7), channels=2, seed=2), 44100)
    path = tmp_path / "model.pt"
    make_model(sample_duration=3.0, sample_rate=32000, height=None, width=None).save(path)
    folder = make_job(tmp_path / "output", recordings, CheckpointModel(path=str(path)), clip_overlap_seconds=overlap)

    # Act
    run(folder)

    # Assert
    assert_equal(predictions(folder), reference_scores(load_reference(path), recordings, clip_overlap=overlap))
