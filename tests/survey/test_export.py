"""Exports carry every score once, in the order of the input."""

from __future__ import annotations

import csv
import random

import duckdb
import numpy as np
import pytest

from rpc.errors import DiskFull
from schemas.jobs import Failure
from survey import export
from survey import parts as parts_module
from survey.export import write_csv, write_failures, write_parquet
from survey.parts import Keep, PartWriter, read_parts
from tests.hostile import fill, small_disk
from tests.survey.test_parts import basis, clips

ALL = Keep(None, None)
KEYS = ["file", "start_time", "end_time"]


def parts_of(folder, *groups, of=None, keep=ALL):
    """One part a group of clips."""
    folder.mkdir(exist_ok=True)
    writer = PartWriter(folder, of or basis(), keep)
    for group in groups:
        for some in group:
            writer.add(some)
        writer.close_part()
    return read_parts(folder)


def table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_dense_scores_are_written_in_the_form_of_opensoundscape(tmp_path):
    # Arrange
    parts = parts_of(tmp_path, [clips("/a,1.wav", scores=((0.1, -2.5e-12), (np.nan, np.nan)))])

    # Act
    write_csv(parts, basis(), ["/a,1.wav"], tmp_path / "predictions.csv")

    # Assert
    assert table(tmp_path / "predictions.csv") == [
        ["file", "start_time", "end_time", "toad", "frog"],
        ["/a,1.wav", "0.0", "5.0", "0.1", "-2.5e-12"],
        ["/a,1.wav", "5.0", "10.0", "", ""],
    ]


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_rows_come_in_the_order_of_the_input_whatever_the_parts_order(tmp_path, layout):
    # Arrange
    rng = random.Random(layout)
    files = [f"/{index:02}.wav" for index in range(20)]
    groups = [clips(file, first=first, scores=((1.0, 2.0),) * 2, total=4) for file in files for first in (0, 2)]
    rng.shuffle(groups)
    order = files[1:]
    rng.shuffle(order)
    of = basis(layout=layout)
    parts = parts_of(tmp_path, groups[:15], groups[15:], of=of, keep=Keep(None, 2))

    # Act
    write_csv(parts, of, order, tmp_path / "predictions.csv")

    # Assert
    rows = table(tmp_path / "predictions.csv")[1:]
    keys = [(row[0], float(row[1])) for row in rows]
    per_clip = 2 if layout == "sparse" else 1
    assert keys == [(file, 5.0 * clip) for file in [*order, files[0]] for clip in range(4) for _ in range(per_clip)]


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_parts_with_very_many_columns_are_read_a_few_at_a_time_and_that_shows_nowhere(tmp_path, monkeypatch, layout):
    # Arrange
    files = [f"/{index:02}.wav" for index in range(7)]
    groups = [[clips(file, scores=((1.0, 2.0), (3.0, 4.0)))] for file in files]
    parts = parts_of(tmp_path, *groups, of=basis(layout=layout))
    write_csv(parts, basis(layout=layout), files, tmp_path / "at once.csv")
    monkeypatch.setattr(export, "_COLUMNS_TOGETHER", 4 if layout == "dense" else 10)

    # Act
    write_csv(parts, basis(layout=layout), files, tmp_path / "in groups.csv")

    # Assert
    assert len(list(export._groups(parts, basis(layout=layout), files))) == 4
    assert (tmp_path / "in groups.csv").read_bytes() == (tmp_path / "at once.csv").read_bytes()
    assert [path for path in tmp_path.iterdir() if "body" in path.name] == []


@pytest.mark.parametrize("shuffled", [False, True])
def test_dense_scores_of_very_many_classes_are_in_rows_and_that_shows_in_no_table(tmp_path, monkeypatch, shuffled):
    # Arrange
    of = basis(('a "b", c', "Toad", "toad"))
    files = ["/a,1.wav", '/"b"\n.wav', "/ü.wav", "/d.wav"]
    scores = [(0.1, -2.5e-12, 3e20), (np.nan, np.nan, np.nan), (1 / 3, float("inf"), -0.0)]
    groups = [
        [clips(file, first=first, scores=scores, total=6, unreadable=(first + 1,))]
        for file in files
        for first in (0, 3)
    ]
    if shuffled:
        random.Random(1).shuffle(groups)
    by_clip = parts_of(tmp_path / "by clip", *groups, of=of)
    write_csv(by_clip, of, files[1:], tmp_path / "by clip.csv")
    write_parquet(by_clip, of, files[1:], tmp_path / "by clip.parquet")

    # Act
    monkeypatch.setattr(parts_module, "MOST_COLUMNS", 2)
    by_score = parts_of(tmp_path / "by score", groups[0], *groups[1:3], [*groups[3], *groups[4]], *groups[5:], of=of)
    write_csv(by_score, of, files[1:], tmp_path / "by score.csv")
    write_parquet(by_score, of, files[1:], tmp_path / "by score.parquet")

    # Assert
    assert duckdb.sql(f"SELECT * FROM read_parquet('{by_score[0].path}')").columns == [*KEYS, "class", "score"]
    assert table(tmp_path / "by score.csv") == table(tmp_path / "by clip.csv")
    assert len(table(tmp_path / "by score.csv")) == 1 + 24
    by_clip_rows, by_score_rows = (
        duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path / name}')").fetchall()
        for name in ("by clip.parquet", "by score.parquet")
    )
    assert by_score_rows == by_clip_rows
    assert len(by_score_rows) == 8 * 2 * 3
    assert [path for path in tmp_path.iterdir() if "body" in path.name] == []


def test_a_sparse_job_is_written_one_row_a_score_in_the_order_of_the_classes(tmp_path):
    # Arrange
    of = basis(("z", "a", "m"), "sparse")
    parts = parts_of(
        tmp_path, [clips("/b.wav", scores=((1.0, 3.0, 2.0),))], [clips("/a.wav")], of=of, keep=Keep(None, 2)
    )

    # Act
    write_csv(parts[:1], of, ["/b.wav"], tmp_path / "in order.csv")

    # Assert
    assert table(tmp_path / "in order.csv") == [
        ["file", "start_time", "end_time", "class", "score"],
        ["/b.wav", "0.0", "5.0", "a", "3.0"],
        ["/b.wav", "0.0", "5.0", "m", "2.0"],
    ]


def test_classes_that_differ_only_in_case_keep_their_names(tmp_path):
    # Arrange
    of = basis(("Toad", "toad"))
    parts = parts_of(tmp_path, [clips(scores=((1.0, 2.0),))], of=of)

    # Act
    write_csv(parts, of, ["/a.wav"], tmp_path / "predictions.csv")
    write_parquet(parts, of, ["/a.wav"], tmp_path / "predictions.parquet")

    # Assert
    assert table(tmp_path / "predictions.csv") == [
        ["file", "start_time", "end_time", "Toad", "toad"],
        ["/a.wav", "0.0", "5.0", "1.0", "2.0"],
    ]
    rows = duckdb.sql(f"SELECT class, score FROM '{tmp_path}/predictions.parquet'").fetchall()
    assert rows == [("Toad", 1.0), ("toad", 2.0)]


def test_parquet_is_long_and_leaves_out_what_has_no_score(tmp_path):
    # Arrange
    parts = parts_of(tmp_path, [clips(scores=((1.0, np.nan), (3.0, 4.0)))])

    # Act
    write_parquet(parts, basis(), ["/a.wav"], tmp_path / "predictions.parquet")

    # Assert
    found = duckdb.sql(f"SELECT * FROM '{tmp_path}/predictions.parquet'")
    assert found.columns == ["file", "start_time", "end_time", "class", "score"]
    assert found.fetchall() == [
        ("/a.wav", 0.0, 5.0, "toad", 1.0),
        ("/a.wav", 5.0, 10.0, "toad", 3.0),
        ("/a.wav", 5.0, 10.0, "frog", 4.0),
    ]


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_a_job_without_scores_has_tables_without_rows(tmp_path, layout):
    write_csv([], basis(layout=layout), [], tmp_path / "predictions.csv")
    write_parquet([], basis(layout=layout), [], tmp_path / "predictions.parquet")

    assert len(table(tmp_path / "predictions.csv")) == 1
    assert duckdb.sql(f"SELECT count(*) FROM '{tmp_path}/predictions.parquet'").fetchall() == [(0,)]


def test_an_older_export_stays_whole_when_the_disk_is_full(tmp_path):
    with small_disk(tmp_path, "600k") as folder:
        # Arrange
        parts = parts_of(folder, [clips(scores=np.random.default_rng(0).normal(size=(3000, 2)))])
        write_csv(parts[:0], basis(), [], folder / "predictions.csv")
        before = (folder / "predictions.csv").read_bytes()
        fill(folder)

        # Act
        with pytest.raises(DiskFull):
            write_csv(parts, basis(), ["/a.wav"], folder / "predictions.csv")

        # Assert
        assert (folder / "predictions.csv").read_bytes() == before
        assert not list(folder.glob(".*"))


def test_failures_are_quoted_as_csv(tmp_path):
    write_failures([Failure(path="/a,b.wav", code=1002, message='is "broken"')], tmp_path / "failures.csv")

    assert table(tmp_path / "failures.csv") == [["file", "code", "message"], ["/a,b.wav", "1002", 'is "broken"']]
