"""survey.migrate: the forms that configs had before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rpc.errors import ConfigInvalid, FileMissing
from schemas.config import CheckpointModel, CwtModel, LoadedConfig, RibbitModel, ZooModel
from survey.config import load_config


def load(folder: Path, document: dict[str, Any]) -> LoadedConfig:
    (folder / "old.json").write_text(json.dumps(document))
    return load_config(folder / "old.json")


SEED = {
    "model": "BirdNET",
    "files": ["/data/a.wav", "/data/b.wav"],
    "output_file": "/results/predictions.csv",
    "inference_settings": {"clip_overlap": 0.5, "batch_size": 4, "num_workers": 2},
}
DIPPER = {
    "model_source": "bmz",
    "model": "Perch2",
    "mode": "classification",
    "files": [],
    "file_globbing_patterns": ["/data/**/*.wav"],
    "file_list": "",
    "job_folder": "/results/spring",
    "output_dir": "/results",
    "sparse_outputs": {"enabled": True, "threshold": -3.0},
    "split_by_subfolder": True,
    "subset_size": None,
    "inference_settings": {"clip_overlap": 0.0, "batch_size": 1, "num_workers": 1},
}


def test_the_seed_form_loads(tmp_path: Path) -> None:
    loaded = load(tmp_path, SEED)

    assert loaded.source_format == "seed"
    assert loaded.config.model == ZooModel(name="BirdNET")
    assert loaded.config.input.files == ("/data/a.wav", "/data/b.wav")
    assert loaded.config.output.folder == "/results"
    assert loaded.config.inference.clip_overlap_seconds == 0.5
    assert loaded.config.inference.batch_size == 4
    assert loaded.config.inference.workers == 2
    assert any("output_file" in warning for warning in loaded.warnings)


def test_the_dipper_form_loads(tmp_path: Path) -> None:
    loaded = load(tmp_path, DIPPER)

    assert loaded.source_format == "dipper"
    assert loaded.config.model == ZooModel(name="Perch2")
    assert loaded.config.input.patterns == ("/data/**/*.wav",)
    assert loaded.config.output.folder == "/results"
    assert (loaded.config.output.layout, loaded.config.output.threshold) == ("sparse", -3.0)
    assert any("split_by_subfolder" in warning for warning in loaded.warnings)
    assert not any("subset_size" in warning for warning in loaded.warnings)


def test_a_model_file_becomes_a_checkpoint(tmp_path: Path) -> None:
    by_ending = load(tmp_path, SEED | {"model": "/models/mine.pt"})
    by_source = load(tmp_path, DIPPER | {"model_source": "local_file", "model": "/models/mine"})

    assert by_ending.config.model == CheckpointModel(path="/models/mine.pt")
    assert by_source.config.model == CheckpointModel(path="/models/mine")


def test_ribbit_settings_are_taken_over(tmp_path: Path) -> None:
    settings = {
        "class_name": "toad", "signal_band": [2000, 2500], "noise_bands": [[0, 200]],
        "pulse_rate_range": [13, 22], "clip_duration": 5.0, "clip_overlap": 1.0, "colour": "red",
    }  # fmt: skip

    loaded = load(
        tmp_path, {"model_source": "ribbit", "files": ["/a.wav"], "output_dir": "/r", "ribbit_settings": settings}
    )

    assert loaded.config.model == RibbitModel(
        class_name="toad", signal_band_hz=(2000, 2500), pulse_rate_hz=(13, 22), noise_bands_hz=((0, 200),)
    )
    assert loaded.config.inference.clip_overlap_seconds == 1.0
    assert any("ribbit_settings.colour" in warning for warning in loaded.warnings)


def test_cwt_settings_are_taken_over(tmp_path: Path) -> None:
    settings = {"class_name": "grouse", "window_len": 60, "d2y_range": [-0.1, 0.2], "colour": "red"}

    loaded = load(tmp_path, {"model_source": "cwt", "files": ["/a.wav"], "output_dir": "/r", "cwt_settings": settings})

    assert loaded.config.model == CwtModel(class_name="grouse", window_len=60, d2y_range=(-0.1, 0.2))
    assert any("cwt_settings.colour" in warning for warning in loaded.warnings)


def test_a_list_of_recordings_in_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("one.wav\n\n  /data/two.wav \n")

    loaded = load(tmp_path, DIPPER | {"file_globbing_patterns": [], "file_list": "list.txt"})

    assert loaded.config.input.files == (str(tmp_path / "one.wav"), "/data/two.wav")


def test_a_list_of_recordings_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        load(tmp_path, DIPPER | {"file_list": "none.txt"})


def test_what_was_dropped_is_told(tmp_path: Path) -> None:
    loaded = load(tmp_path, SEED | {"favourite": "owl", "output_file": "/r/out.pkl"})

    assert "`favourite` is not used any more." in loaded.warnings
    assert any("pickled" in warning for warning in loaded.warnings)


@pytest.mark.parametrize("source", ["mlp_classifier", "custom", "other"])
def test_a_model_source_that_is_not_offered_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(ConfigInvalid, match=rf"\$\.model_source: .*{source}"):
        load(tmp_path, DIPPER | {"model_source": source})


def test_another_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="embed_to_hoplite"):
        load(tmp_path, DIPPER | {"mode": "embed_to_hoplite"})


def test_a_fault_of_an_old_config_is_told_in_the_new_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"\$\.inference\.batchSize"):
        load(tmp_path, SEED | {"inference_settings": {"batch_size": -1}})


@pytest.mark.parametrize("document", [SEED, DIPPER])
def test_an_old_config_that_was_loaded_needs_no_migration_again(tmp_path: Path, document: dict[str, Any]) -> None:
    from survey.config import save_config

    first = load(tmp_path, document)
    save_config(tmp_path / "new.json", first.config)

    again = load_config(tmp_path / "new.json")

    assert (again.source_format, again.warnings, again.config) == ("current", (), first.config)
