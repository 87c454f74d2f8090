"""scores/export "raven": the real OpenSoundscape reads what the sidecar, in its own interpreter, has written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from opensoundscape.annotations import BoxedAnnotations

from schemas.scores import Exported, ExportParams, LoadParams, ScoreTable
from tools.demo.client import SidecarClient
from tools.paths import ROOT, VENV, python_of
from tools.which_sidecar import sidecar_command

HERTZ = {"low_f": float, "high_f": float, "start_time": float, "end_time": float, "Score": float}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SidecarClient]:
    python, folder = python_of(VENV), tmp_path_factory.mktemp("sidecar")
    if not python.exists():
        pytest.skip("the sidecar's environment .venv is not there: run `python3 dev.py setup`")
    command = sidecar_command("--state-folder", folder / "state", "--cache-folder", folder / "cache", python=python)
    with SidecarClient(command, cwd=ROOT) as client:
        yield client


def exported(client: SidecarClient, table: Path) -> Path:
    loaded = client.call("scores/load", LoadParams(path=str(table)), ScoreTable)
    params = ExportParams(scores_id=loaded.scores_id, path=str(table.with_suffix(".selections.txt")), format="raven")
    return Path(client.call("scores/export", params, Exported).path)


def test_opensoundscape_reads_scores(client: SidecarClient, tmp_path: Path) -> None:
    table = tmp_path / "predictions.csv"
    table.write_text(
        'file,start_time,end_time,Wilson\'s Warbler,Käuzchen 🦉,"say ""ho"""\n'
        "/d/a.wav,0.0,5.0,0.87,-3.5,\n/d/b c.wav,5.0,10.0,,inf,1e-12\n",
        encoding="utf-8",
    )

    boxes = BoxedAnnotations.from_raven_files(exported(client, table), annotation_column="Annotation").df

    assert {name: boxes[name].dtype.type for name in HERTZ} == {
        name: pd.Series([], dtype=kind).dtype.type for name, kind in HERTZ.items()
    }
    columns = ["Begin Path", "start_time", "end_time", "annotation", "Score"]
    assert boxes[columns].to_numpy().tolist() == [
        ["/d/a.wav", 0.0, 5.0, "Käuzchen 🦉", -3.5],
        ["/d/a.wav", 0.0, 5.0, "Wilson's Warbler", 0.87],
        ["/d/b c.wav", 5.0, 10.0, "Käuzchen 🦉", float("inf")],
        ["/d/b c.wav", 5.0, 10.0, 'say "ho"', 1e-12],
    ]
    assert boxes["low_f"].isna().all()
    assert boxes["Selection"].tolist() == [1, 2, 3, 4]


def test_opensoundscape_reads_bounds_and_labels_clips(client: SidecarClient, tmp_path: Path) -> None:
    table = tmp_path / "calls.txt"
    table.write_text(
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"
        "1\tSpectrogram 1\t1\t1.897648165999982\t4.110570810999974\t1326.3\t3266.5\tWOTH\n"
        "2\tSpectrogram 1\t1\t6.5\t7.25\t3030.8\t6196.3\tEATO\n"
    )

    again = BoxedAnnotations.from_raven_files(exported(client, table), "Annotation", audio_files="/d/a.wav")

    original = BoxedAnnotations.from_raven_files(table, "Species", audio_files="/d/a.wav")
    columns = ["low_f", "high_f", "start_time", "annotation"]
    assert again.df[columns].to_numpy().tolist() == original.df[columns].to_numpy().tolist()
    assert again.df["end_time"].tolist() == pytest.approx(original.df["end_time"].tolist(), abs=1e-9)
    cutting = {"clip_duration": 3, "full_duration": 9, "min_label_overlap": 0.25, "class_subset": ["WOTH", "EATO"]}
    clips = [boxes.clip_labels(**cutting) for boxes in (again, original)]
    assert clips[0].to_numpy().tolist() == clips[1].to_numpy().tolist()
    assert clips[0].to_numpy().sum() == 3
