"""sidecar.scores: page, histogram, summary and sampling, each against an oracle that sorts and counts by itself."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpc.cancel import CancelToken
from rpc.decoders import decoder_for
from rpc.errors import InvalidParams, ScoresNotFound
from rpc.messages import decode_params
from schemas.detections import Sample, SampleParams
from schemas.scores import HistogramParams, LoadParams, Page, PageParams, Summary, SummaryParams
from sidecar.scores.grouping import sites_of
from sidecar.scores.histogram import histogram_of
from sidecar.scores.page import page_of
from sidecar.scores.sampling import sample_detections
from sidecar.scores.session import OpenTable, ScoreSession
from sidecar.scores.summary import summary_of
from survey.tables import opensoundscape

CLASSES = ("owl", "toad", "Owl")


class Cell(NamedTuple):
    row: int
    path: str
    start: float
    name: str
    score: float


class Table(NamedTuple):
    """A table that is open, and what it holds."""

    open: OpenTable
    cells: list[Cell]


Rows = list[tuple[str, list[float | None]]]
scores = st.none() | st.sampled_from([0.0, 1.0, -1.0, 0.5]) | st.floats(allow_infinity=True, allow_nan=True, width=32)
files = st.sampled_from(
    [f"/data/{site}/R_20240512_{hour:02}3000.wav" for site in ("a", "b") for hour in (5, 23)] + ["/data/x.wav"]
)
clips = st.lists(st.tuples(files, st.lists(scores, min_size=3, max_size=3)), min_size=1, max_size=25)
COUNTER = itertools.count()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoreSession]:
    session = ScoreSession(tmp_path_factory.mktemp("cache"))
    yield session
    session.close_all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def open_table(session: ScoreSession, folder: Path, rows: Rows, *, sparse: bool) -> Table:
    """Clips of 1800 s, one after the other in each recording; one more row, so that there is a score in every class."""
    rows = [*rows, ("/data/last.wav", [0.25, 0.25, 0.25])]
    path = folder / f"{next(COUNTER)}.csv"
    lines, cells, number = [], [], 0
    for index, (file, row) in enumerate(rows):
        start = 1800.0 * index
        for name, score in zip(CLASSES, row, strict=True):
            if sparse and score is not None:
                lines.append(f"{file},{start},{start + 1800},{name},{score!r}")
            if score is not None and not math.isnan(score):
                cells.append(Cell(number if sparse else index, file, start, name, score))
            number += score is not None
        if not sparse:
            lines.append(f"{file},{start},{start + 1800}," + ",".join("" if s is None else repr(s) for s in row))
    header = "file,start_time,end_time," + ("class,score" if sparse else ",".join(CLASSES))
    path.write_text("\n".join([header, *lines]))
    loaded = session.load(LoadParams(path=str(path)), CancelToken())
    return Table(session.get(loaded.scores_id), cells)


many = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


# ---------------------------------------------------------------- pages


def page(table: Table, **params: object) -> Page:
    return page_of(table.open, PageParams(scores_id="", **params), CancelToken())  # type: ignore[arg-type]


@many
@given(
    rows=clips,
    sparse=st.booleans(),
    name=st.sampled_from([None, *CLASSES]),
    sort=st.sampled_from(["score", "path", "row"]),
    descending=st.booleans(),
    offset=st.integers(0, 5),
    limit=st.integers(1, 20),
)
def test_a_page_is_a_slice_of_the_sorted_cells(
    session: ScoreSession, folder: Path, rows: Rows, sparse: bool, name: str | None, sort: str, descending: bool,
    offset: int, limit: int,
) -> None:  # fmt: skip
    table = open_table(session, folder, rows, sparse=sparse)
    wanted = [cell for cell in table.cells if name in (None, cell.name)]
    keys = {"score": lambda c: c.score, "path": lambda c: (c.path, c.start), "row": lambda c: c.row}
    wanted.sort(key=lambda cell: (cell.row, CLASSES.index(cell.name)))
    wanted.sort(key=keys[sort], reverse=descending)

    got = page(table, class_=name, sort=sort, descending=descending, offset=offset, limit=limit)

    assert got.total == len(wanted)
    assert [(row.row, row.path, row.start_seconds, row.class_, row.score) for row in got.rows] == [
        (cell.row, cell.path, cell.start, cell.name, cell.score) for cell in wanted[offset : offset + limit]
    ]


def test_pages_by_recording_and_range(session: ScoreSession, folder: Path) -> None:
    table = open_table(session, folder, [("a.wav", [1, 2, 3]), ("b.wav", [2, 3, 4])], sparse=False)

    got = page(table, files=(str(folder / "b.wav"),), score_range=(2, 3), sort="row", descending=False)

    assert [(row.class_, row.score) for row in got.rows] == [("owl", 2), ("toad", 3)]
    assert page(table, files=("unknown",)).total == 0
    with pytest.raises(ScoresNotFound):
        page(table, class_="zebra")
    with pytest.raises(InvalidParams):
        page(table, score_range=(3, 2))


@pytest.mark.parametrize(("field", "number"), [("offset", 10**30), ("offset", 2**53 + 1), ("limit", 10**30)])
def test_a_page_beyond_all_numbers_is_refused_by_name(field: str, number: int) -> None:
    params = msgspec.Raw(b'{"scoresId": "", "%s": %d}' % (field.encode(), number))

    with pytest.raises(InvalidParams, match=rf"^\$\.{field}: "):
        decode_params(decoder_for(PageParams), params)


def test_a_page_beyond_the_last_row_is_empty(session: ScoreSession, folder: Path) -> None:
    table = open_table(session, folder, [], sparse=False)

    got = page(table, offset=2**53)

    assert (got.rows, got.total) == ((), 3)


def test_a_table_of_very_many_classes_answers_as_others_do(
    session: ScoreSession, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: Rows = [("/a.wav", [1.0, None, 3.0]), ("/b.wav", [None, float("nan"), 4.0]), ("", [1.0, 1.0, 1.0])]
    wide = open_table(session, folder, rows, sparse=False)
    monkeypatch.setattr(opensoundscape, "MAX_WIDE", 2)
    long = open_table(session, folder, rows, sparse=False)

    assert (wide.open.stored.content.wide, long.open.stored.content.wide) == (True, False)
    assert long.open.stored.content.classes == wide.open.stored.content.classes
    assert long.open.stored.content.problems == wide.open.stored.content.problems
    for name in (None, *CLASSES):
        assert page(long, class_=name) == page(wide, class_=name)


# ---------------------------------------------------------------- histograms


@many
@given(
    rows=clips,
    sparse=st.booleans(),
    bins=st.integers(1, 20),
    limits=st.none() | st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
)
def test_a_histogram_is_numpys(
    session: ScoreSession, folder: Path, rows: Rows, sparse: bool, bins: int, limits: tuple[float, float] | None
) -> None:
    table = open_table(session, folder, rows, sparse=sparse)
    limits = None if limits is None else (min(limits), max(limits))
    params = HistogramParams(scores_id="", class_="owl", bins=bins, range=limits)
    finite = np.array([cell.score for cell in table.cells if cell.name == "owl" and math.isfinite(cell.score)])
    try:
        with np.errstate(all="raise"):
            counts, edges = np.histogram(finite, bins=bins, range=limits)
    except (ValueError, FloatingPointError):
        return  # a range that numpy cannot divide

    try:
        got = histogram_of(table.open, params, CancelToken())
    except InvalidParams:
        return

    assert got.edges == pytest.approx(tuple(edges))
    assert got.counts == tuple(counts)


def test_a_histogram_needs_a_range_that_can_be_divided(session: ScoreSession, folder: Path) -> None:
    table = open_table(session, folder, [("a", [1, 1, 1])], sparse=False)

    for limits in ((1.0, 0.0), (-1.7e308, 1.7e308)):
        with pytest.raises(InvalidParams, match=r"\$\.range"):
            histogram_of(table.open, HistogramParams(scores_id="", class_="owl", range=limits), CancelToken())


# ---------------------------------------------------------------- summaries


def summary(table: Table, by: str, **params: object) -> Summary:
    return summary_of(table.open, SummaryParams(scores_id="", by=by, **params), CancelToken())  # type: ignore[arg-type]


def day_and_hour(cell: Cell) -> tuple[str, str] | None:
    if "2024" not in cell.path:
        return None
    minutes = int(cell.path[-10:-8]) * 60 + 30 + int(cell.start // 60)
    return f"2024-05-{12 + minutes // 1440:02}", f"{minutes // 60 % 24:02}"


KEYS = {
    "class": lambda cell: cell.name,
    "file": lambda cell: cell.path,
    "date": lambda cell: (day_and_hour(cell) or (None, None))[0],
    "hour": lambda cell: (day_and_hour(cell) or (None, None))[1],
    "site": lambda cell: cell.path.split("/")[2] if cell.path.count("/") == 3 else ".",
}


@many
@given(
    rows=clips,
    sparse=st.booleans(),
    by=st.sampled_from(sorted(KEYS)),
    name=st.sampled_from([None, *CLASSES]),
    threshold=st.none() | st.sampled_from([0.0, 0.5]),
)
def test_a_summary_counts_what_reaches_the_threshold(
    session: ScoreSession, folder: Path, rows: Rows, sparse: bool, by: str, name: str | None, threshold: float | None
) -> None:
    # A recording in a folder of its own makes folders the sites, whatever the others are.
    rows = [*rows, ("/data/a/R_20240512_053000.wav", [1.0, 1.0, 1.0])]
    table = open_table(session, folder, rows, sparse=sparse)
    counted = [c for c in table.cells if name in (None, c.name) and (threshold is None or c.score >= threshold)]
    expected = Counter(KEYS[by](cell) for cell in counted)
    if by == "class":
        expected = Counter({known: expected[known] for known in CLASSES if name in (None, known)})

    got = summary(table, by, class_=name, threshold=threshold)

    assert {group.key: group.count for group in got.groups} == dict(expected)
    highest = {key: max(c.score for c in counted if KEYS[by](c) == key) for key, count in expected.items() if count}
    assert {group.key: group.max for group in got.groups if group.count} == highest


def test_classes_come_in_the_tables_order_and_others_sorted(session: ScoreSession, folder: Path) -> None:
    rows: Rows = [("/b.wav", [1, 1, 1]), ("/a.wav", [1, 1, 1])]
    table = open_table(session, folder, rows, sparse=True)

    assert [group.key for group in summary(table, "class").groups] == list(CLASSES)
    assert [group.key for group in summary(table, "file").groups] == ["/a.wav", "/b.wav", "/data/last.wav"]


def test_a_site_is_a_folder_or_what_stands_before_the_time() -> None:
    assert sites_of(["/d/s1/x/a.wav", "/d/s2/a.wav", "/d/b.wav"]) == {
        "/d/s1/x/a.wav": "s1/x", "/d/s2/a.wav": "s2", "/d/b.wav": ".",
    }  # fmt: skip
    assert sites_of(["/d/S1_20240512_053000.WAV", "/d/S2_20240512_053000.WAV", "/d/x.wav"]) == {
        "/d/S1_20240512_053000.WAV": "S1", "/d/S2_20240512_053000.WAV": "S2", "/d/x.wav": "",
    }  # fmt: skip
    assert sites_of(["D:\\d\\s1\\a.wav", "D:\\d\\s2\\a.wav"]) == {"D:\\d\\s1\\a.wav": "s1", "D:\\d\\s2\\a.wav": "s2"}


# ---------------------------------------------------------------- sampling


def sample(table: Table, **params: object) -> Sample:
    return sample_detections(table.open, SampleParams(scores_id="", class_="owl", **params), CancelToken())  # type: ignore[arg-type]


def scores_in(found: Sample) -> list[float]:
    """The scores of a sample; only on the wire are some of them null."""
    return [detection.score for detection in found.detections if detection.score is not None]


@many
@given(
    rows=clips,
    sparse=st.booleans(),
    strategy=st.sampled_from(["top", "random", "stratified"]),
    group_by=st.sampled_from([None, "file", "date", "site"]),
    count=st.integers(1, 30),
    seed=st.integers(0, 3),
)
def test_a_sample_is_of_the_class_without_doubles_and_repeatable(
    session: ScoreSession,
    folder: Path,
    rows: Rows,
    sparse: bool,
    strategy: str,
    group_by: str | None,
    count: int,
    seed: int,
) -> None:
    table = open_table(session, folder, rows, sparse=sparse)
    owls = {cell.row: (cell.path, cell.start, cell.score) for cell in table.cells if cell.name == "owl"}

    got = sample(table, strategy=strategy, group_by=group_by, count=count, seed=seed)
    again = sample(table, strategy=strategy, group_by=group_by, count=count, seed=seed)

    taken = {d.row: (d.path, d.start_seconds, d.score) for d in got.detections}
    assert got == again
    assert got.total == len(owls)
    assert len(taken) == len(got.detections) == min(count, len(owls))
    assert all(owls[row] == cell for row, cell in taken.items())
    assert scores_in(got) == sorted(scores_in(got), reverse=True)


def linear(session: ScoreSession, folder: Path, count: int = 200) -> Table:
    """Scores 0, 1, 2, ... of recordings a (three of four rows) and b."""
    rows: Rows = [(f"/{'b' if index % 4 == 0 else 'a'}/r.wav", [float(index), None, None]) for index in range(count)]
    return open_table(session, folder, rows, sparse=False)


def test_another_seed_chooses_others(session: ScoreSession, folder: Path) -> None:
    table = linear(session, folder)

    chosen = [{d.row for d in sample(table, strategy="random", seed=seed).detections} for seed in range(4)]

    assert len({frozenset(rows) for rows in chosen}) == 4


def test_a_random_sample_is_not_the_top(session: ScoreSession, folder: Path) -> None:
    scores = scores_in(sample(linear(session, folder), strategy="random", count=100))

    assert 60 < sum(scores) / len(scores) < 140


def test_a_stratified_sample_has_as_many_of_each_part_of_the_range(session: ScoreSession, folder: Path) -> None:
    table = linear(session, folder, 200)

    found = sample(table, strategy="stratified", count=20, score_range=(0, 199))

    assert Counter(int(score * 10 / 199.001) for score in scores_in(found)) == dict.fromkeys(range(10), 2)


def test_groups_give_as_many_each_as_far_as_they_have(session: ScoreSession, folder: Path) -> None:
    table = linear(session, folder)

    by_file = sample(table, strategy="top", group_by="file", count=21)
    by_site = sample(table, strategy="random", group_by="site", count=21).detections

    assert Counter(d.path for d in by_file.detections) == {"/a/r.wav": 10, "/b/r.wav": 10, "/data/last.wav": 1}
    assert max(scores_in(by_file)) == 199
    assert Counter(d.path for d in by_site) == {"/a/r.wav": 10, "/b/r.wav": 10, "/data/last.wav": 1}
