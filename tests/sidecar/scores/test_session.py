"""sidecar.scores: tables that are open, and the detections sampled from them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, InvalidParams, ScoresNotFound
from rpc.wiretext import encode_json
from schemas.detections import Sample, SampleParams
from schemas.scores import LoadParams, PageParams, ScoreTable, SummaryParams
from sidecar.scores.page import page_of
from sidecar.scores.sampling import sample_detections
from sidecar.scores.session import ScoreSession
from sidecar.scores.summary import summary_of

DENSE = "file,start_time,end_time,owl,toad\n/a.wav,0,5,1.5,-2\n/a.wav,5,10,0.5,3\n/b.wav,0,5,,7\n"
SPARSE = "file,start_time,end_time,class,score\n/a.wav,0,3,owl,0.5\n/a.wav,0,3,toad,0.9\n/b.wav,3,6,owl,0.7\n"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ScoreSession]:
    session = ScoreSession(tmp_path / "cache")
    yield session
    session.close_all()


def load(session: ScoreSession, path: Path, content: str, audio_root: Path | None = None) -> ScoreTable:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    root = None if audio_root is None else str(audio_root)
    return session.load(LoadParams(path=str(path), audio_root=root), CancelToken())


def sample(session: ScoreSession, table: ScoreTable, name: str, **more: object) -> Sample:
    params = SampleParams(scores_id=table.scores_id, class_=name, **more)  # type: ignore[arg-type]
    return sample_detections(session.get(table.scores_id), params, CancelToken())


def wire(result: object) -> Any:
    """What a client gets of `result`."""
    return json.loads(encode_json(result))


def test_a_table_is_described(session: ScoreSession, tmp_path: Path) -> None:
    table = load(session, tmp_path / "s.csv", DENSE)

    assert table.path == str(tmp_path / "s.csv")
    assert (table.format, table.layout, table.row_count, table.file_count) == ("opensoundscape", "dense", 3, 2)
    assert table.score_range == (-2, 7)


def test_the_highest_scores_come_first(session: ScoreSession, tmp_path: Path) -> None:
    found = sample(session, load(session, tmp_path / "s.csv", DENSE), "toad", count=2)

    assert [(d.path, d.start_seconds, d.end_seconds, d.score, d.row) for d in found.detections] == [
        ("/b.wav", 0, 5, 7, 2), ("/a.wav", 5, 10, 3, 1),
    ]  # fmt: skip
    assert found.total == 3


def test_a_sparse_table_is_asked_in_the_same_way(session: ScoreSession, tmp_path: Path) -> None:
    found = sample(session, load(session, tmp_path / "s.csv", SPARSE), "owl")

    assert [(d.path, d.start_seconds, d.score, d.row) for d in found.detections] == [
        ("/b.wav", 3, 0.7, 2), ("/a.wav", 0, 0.5, 0),
    ]  # fmt: skip


def test_both_ends_of_the_range_are_included(session: ScoreSession, tmp_path: Path) -> None:
    table = load(session, tmp_path / "s.csv", DENSE)

    assert [d.score for d in sample(session, table, "toad", score_range=(-2, 3)).detections] == [3, -2]
    with pytest.raises(InvalidParams, match=r"\$\.scoreRange"):
        sample(session, table, "toad", score_range=(3, -2))


def test_a_row_for_a_whole_file_is_shown_by_its_beginning(session: ScoreSession, tmp_path: Path) -> None:
    table = load(session, tmp_path / "s.csv", "file,owl\n/a.wav,1\n")

    [detection] = sample(session, table, "owl", seconds_when_whole_file=3).detections

    assert (detection.start_seconds, detection.end_seconds) == (0, 3)


def test_an_infinite_score_keeps_its_place_and_is_null_on_the_wire(session: ScoreSession, tmp_path: Path) -> None:
    content = "file,start_time,end_time,owl\n/a.wav,0,5,1\n/b.wav,0,5,inf\n/c.wav,0,5,nan\n/d.wav,0,5,-inf\n"

    table = load(session, tmp_path / "s.csv", content)

    opened, token = session.get(table.scores_id), CancelToken()
    found = wire(sample(session, table, "owl"))["detections"]
    rows = wire(page_of(opened, PageParams(scores_id=""), token))["rows"]
    groups = wire(summary_of(opened, SummaryParams(scores_id="", by="class"), token))["groups"]

    assert [(d["path"], d["score"]) for d in found] == [("/b.wav", None), ("/a.wav", 1), ("/d.wav", None)]
    assert [(row["path"], row["score"]) for row in rows] == [("/b.wav", None), ("/a.wav", 1), ("/d.wav", None)]
    assert groups == [{"key": "owl", "count": 3, "max": None}]
    assert wire(table)["classes"] == [{"name": "owl", "count": 3, "min": 1, "max": 1, "mean": 1}]


def test_a_class_that_is_not_there_is_told_with_the_nearest(session: ScoreSession, tmp_path: Path) -> None:
    table = load(session, tmp_path / "s.csv", DENSE)

    with pytest.raises(ScoresNotFound) as near:
        sample(session, table, "Toads")
    with pytest.raises(ScoresNotFound) as far:
        sample(session, table, "zebra")

    assert "`toad`" in str(near.value.hint)
    assert "`owl`" in str(far.value.hint)


def test_a_closed_table_is_not_found(session: ScoreSession, tmp_path: Path) -> None:
    table = load(session, tmp_path / "s.csv", DENSE)
    session.close(table.scores_id)

    with pytest.raises(ScoresNotFound, match="No table is open"):
        session.get(table.scores_id)
    with pytest.raises(ScoresNotFound):
        session.close("unknown")


def test_several_tables_are_open_at_once(session: ScoreSession, tmp_path: Path) -> None:
    dense, sparse = load(session, tmp_path / "d.csv", DENSE), load(session, tmp_path / "s.csv", SPARSE)
    again = load(session, tmp_path / "d.csv", DENSE)
    session.close(dense.scores_id)

    assert len({dense.scores_id, sparse.scores_id, again.scores_id}) == 3
    assert sample(session, again, "toad").total == 3
    assert sample(session, sparse, "toad").total == 1


def test_relative_paths_start_from_the_folder_of_the_table(session: ScoreSession, tmp_path: Path) -> None:
    table = load(session, tmp_path / "results" / "s.csv", DENSE.replace("/b.wav", "in/b.wav"))

    assert sample(session, table, "toad", count=1).detections[0].path == str(tmp_path / "results" / "in" / "b.wav")


MOVED = [
    ("/old/2023/site1/b.wav", "site1/b.wav"),
    ("D:\\old\\site1\\b.wav", "site1/b.wav"),
    ("site1/b.wav", "site1/b.wav"),
    ("/elsewhere/b.wav", "b.wav"),
]


@pytest.mark.parametrize(("old", "now"), MOVED)
def test_moved_recordings_are_found_below_the_audio_root(
    session: ScoreSession, tmp_path: Path, old: str, now: str
) -> None:
    root = tmp_path / "drive"
    (root / now).parent.mkdir(parents=True)
    (root / now).write_bytes(b"")

    table = load(session, tmp_path / "s.csv", DENSE.replace("/b.wav", old), audio_root=root)

    assert sample(session, table, "toad", count=1).detections[0].path == str(root / now)
    assert table.missing_file_count == 1


def test_an_audio_root_that_is_not_there(session: ScoreSession, tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="none"):
        load(session, tmp_path / "s.csv", DENSE, audio_root=tmp_path / "none")


scores = st.none() | st.floats(allow_infinity=False, width=32) | st.sampled_from([0.0, 1.0])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(column=st.lists(scores, min_size=1, max_size=30), count=st.integers(1, 10), sparse=st.booleans())
def test_the_sample_is_what_sorting_all_rows_gives(
    tmp_path_factory: pytest.TempPathFactory, column: list[float | None], count: int, sparse: bool
) -> None:
    session = ScoreSession(tmp_path_factory.mktemp("cache"))
    rows = [(f"/{index}.wav", score) for index, score in enumerate([*column, 0.25])]
    wide = ["file,start_time,end_time,owl", *(f"{p},0,5,{'' if s is None else repr(s)}" for p, s in rows)]
    long = ["file,start_time,end_time,class,score", *(f"{p},0,5,owl,{'' if s is None else repr(s)}" for p, s in rows)]
    path = tmp_path_factory.mktemp("table") / f"{random.random()}.csv"

    table = load(session, path, "\n".join(long if sparse else wide))
    found = sample(session, table, "owl", count=count)

    present = [(p, s) for p, s in rows if s is not None and not math.isnan(s)]
    expected = sorted(present, key=lambda row: -row[1])
    assert found.total == len(expected)
    assert [(d.path, d.score) for d in found.detections] == expected[:count]
    session.close_all()
