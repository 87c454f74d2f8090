"""sidecar.scores: every question about random tables of several kinds, compared with pandas asked the same."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpc.cancel import CancelToken
from schemas.detections import Sample, SampleParams
from schemas.scores import HistogramParams, LoadParams, PageParams, SummaryParams
from sidecar.scores.histogram import histogram_of
from sidecar.scores.page import page_of
from sidecar.scores.sampling import sample_detections
from sidecar.scores.session import OpenTable, ScoreSession
from sidecar.scores.summary import summary_of

CLASSES = ("Strix aluco", "toad", "Toad", "rare", "empty")
CLIPS = 240
KINDS = ("logits", "probabilities", "integers", "odd")
ONE_FOLDER = ["24E144085F256457_20240512_225000.WAV", "SMM03873_20240513_000000.wav", "SMM03873_20240514_040000.wav"]
FOLDERS = ["S1/24E144085F256457_20240512_225000.WAV", "S1/SMM03873_20240513_000000.wav", "S2/deep/x.wav", "y.wav"]
SITES = {
    "24E144085F256457_20240512_225000.WAV": "24E144085F256457",
    "SMM03873_20240513_000000.wav": "SMM03873",
    "SMM03873_20240514_040000.wav": "SMM03873",
    "S1/24E144085F256457_20240512_225000.WAV": "S1",
    "S1/SMM03873_20240513_000000.wav": "S1",
    "S2/deep/x.wav": "S2/deep",
    "y.wav": ".",
}


class Table(NamedTuple):
    """A table that is open, and its scores as pandas has them: no absent ones, no NaN.

    `scores` has the columns row, path, start, class, position (of the class), score, file, site, date and hour.
    """

    open: OpenTable
    scores: pd.DataFrame
    names: tuple[str, ...]


def random_scores(kind: str, shape: tuple[int, int], chance: np.random.Generator) -> np.ndarray:
    """Scores of a kind, some NaN for absent; the last but one class has few, the last none."""
    if kind == "integers":
        scores = chance.integers(-3, 4, shape).astype(np.float64)
    elif kind == "probabilities":
        scores = np.round(chance.random(shape), 2)  # with many that are equal
    else:
        scores = chance.normal(0, 4, shape)
    if kind == "odd":
        odd = chance.choice([np.inf, -np.inf, 1.7e308, -1.7e308, 5e-324, 0.0], shape)
        scores = np.where(chance.random(shape) < 0.2, odd, scores)
    scores[chance.random(shape) < 0.15] = np.nan
    scores[3:, 3], scores[:, 4] = np.nan, np.nan
    return scores


def write_table(path: Path, kind: str, *, sparse: bool) -> pd.DataFrame:
    """A table of clips of 10 minutes with doubled rows; its scores, read back from nothing but what was written."""
    chance = np.random.default_rng([KINDS.index(kind), sparse])
    scores = random_scores(kind, (CLIPS, len(CLASSES)), chance)
    files = chance.choice(FOLDERS if sparse else ONE_FOLDER, CLIPS)
    starts = chance.integers(0, 40, CLIPS) * 600.0
    wide = pd.DataFrame(scores, columns=list(CLASSES))
    wide.insert(0, "file", [f"/data/{file}" for file in files])
    wide.insert(1, "start_time", starts)
    wide.insert(2, "end_time", starts + 600)
    wide = pd.concat([wide, wide.iloc[:20]], ignore_index=True)
    long = wide.reset_index(names="row").melt(
        ["row", "file", "start_time", "end_time"], var_name="class", value_name="score"
    )
    long["position"] = long["class"].map(CLASSES.index)
    long = long.dropna(subset="score").sort_values(["row", "position"], ignore_index=True)
    if sparse:
        long["row"] = long.index
        long[["class", "score", "file", "end_time", "start_time"]].to_csv(path, index=False)
        long["position"] = long["class"].map(list(long["class"].unique()).index)
    elif kind == "odd":
        wide.to_csv(path, index=False, na_rep="nan")
    else:
        wide.to_csv(path, index=False)
    return long


def with_groups(long: pd.DataFrame) -> pd.DataFrame:
    """The same with the keys of all groups, found in the names of recordings by pandas."""
    scores = long.rename(columns={"file": "path", "start_time": "start"})
    named = scores["path"].str.extract(r"(\d{8}_\d{6})")[0]
    moments = pd.to_datetime(named, format="%Y%m%d_%H%M%S") + pd.to_timedelta(scores["start"], unit="s")
    groups = {
        "file": scores["path"],
        "date": moments.dt.strftime("%Y-%m-%d"),
        "hour": moments.dt.strftime("%H"),
        "site": scores["path"].str.removeprefix("/data/").map(SITES),
    }
    return scores.assign(**{name: keys.astype(object).where(keys.notna(), None) for name, keys in groups.items()})


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, bool], Table]]:
    folder = tmp_path_factory.mktemp("tables")
    session = ScoreSession(folder / "cache")
    found = {}
    for kind, sparse in itertools.product(KINDS, (False, True)):
        path = folder / f"{kind}{sparse}.csv"
        scores = with_groups(write_table(path, kind, sparse=sparse))
        loaded = session.load(LoadParams(path=str(path)), CancelToken())
        names = tuple(summary.name for summary in loaded.classes)
        found[kind, sparse] = Table(session.get(loaded.scores_id), scores, names)
    yield found
    session.close_all()


which = st.tuples(st.sampled_from(KINDS), st.booleans())
limits = st.none() | st.tuples(st.integers(-50, 40), st.integers(0, 60)).map(
    lambda ends: (ends[0] / 10, sum(ends) / 10)
)
questions = settings(max_examples=40)


def of_class(table: Table, name: str | None) -> pd.DataFrame:
    return table.scores if name is None else table.scores[table.scores["class"] == name]


def within(scores: pd.DataFrame, ends: tuple[float, float] | None) -> pd.DataFrame:
    return scores if ends is None else scores[scores["score"].between(*ends)]


def test_the_tables_hold_what_was_written(tables: dict[tuple[str, bool], Table]) -> None:
    for (_, sparse), table in tables.items():
        counts = table.scores.groupby("class").size()
        summaries = table.open.stored.content.classes
        assert {summary.name: summary.count for summary in summaries if summary.count} == counts.to_dict()
        assert ("empty" in table.names) is not sparse


@questions
@given(
    which=which,
    name=st.sampled_from([None, *CLASSES[:4]]),
    ends=limits,
    files=st.none() | st.lists(st.sampled_from([*ONE_FOLDER, *FOLDERS]), max_size=3, unique=True),
    sort=st.sampled_from(["score", "path", "row"]),
    descending=st.booleans(),
    offset=st.integers(0, 1200),
    limit=st.integers(1, 80),
)
def test_a_page(
    tables: dict[tuple[str, bool], Table], which: tuple[str, bool], name: str | None, ends: tuple[float, float] | None,
    files: list[str] | None, sort: str, descending: bool, offset: int, limit: int,
) -> None:  # fmt: skip
    table = tables[which]
    wanted = within(of_class(table, name), ends)
    paths = None if files is None else tuple(f"/data/{file}" for file in files)
    if paths is not None:
        wanted = wanted[wanted["path"].isin(paths)]
    keys = {"score": ["score"], "path": ["path", "start"], "row": ["row"]}[sort]
    ties = [key for key in ("row", "position") if key not in keys]
    wanted = wanted.sort_values([*keys, *ties], ascending=[not descending] * len(keys) + [True] * len(ties))
    shown = wanted.iloc[offset : offset + limit]

    asked = {"sort": sort, "descending": descending, "offset": offset, "limit": limit}
    params = PageParams(scores_id="", class_=name, score_range=ends, files=paths, **asked)  # type: ignore[arg-type]
    got = page_of(table.open, params, CancelToken())

    assert got.total == len(wanted)
    assert [(row.row, row.path, row.start_seconds, row.class_, row.score) for row in got.rows] == list(
        shown[["row", "path", "start", "class", "score"]].itertuples(index=False, name=None)
    )
    assert all(row.end_seconds == row.start_seconds + 600 for row in got.rows)


def counted(scores: pd.Series, edges: np.ndarray) -> tuple[int, ...]:
    """How many scores are in each bin; the last has both its edges."""
    closed = np.append(edges[:-1], math.nextafter(edges[-1], math.inf))
    found = pd.cut(scores[np.isfinite(scores)], closed, right=False, labels=False).value_counts()
    return tuple(found.reindex(range(len(edges) - 1), fill_value=0))


@questions
@given(which=which, name=st.sampled_from(CLASSES), bins=st.integers(1, 60), ends=limits)
def test_a_histogram(
    tables: dict[tuple[str, bool], Table],
    which: tuple[str, bool],
    name: str,
    bins: int,
    ends: tuple[float, float] | None,
) -> None:
    table = tables[which]
    name = name if name in table.names else "toad"
    scores = of_class(table, name)["score"]
    finite = scores[np.isfinite(scores)]
    if which[0] == "odd" and ends is None:
        ends = (-2.0, 2.0)  # the range of all is beyond what can be divided
    low, high = ends or ((0.0, 1.0) if finite.empty else (finite.min(), finite.max()))
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    edges = np.linspace(low, high, bins + 1)

    got = histogram_of(table.open, HistogramParams(scores_id="", class_=name, bins=bins, range=ends), CancelToken())

    assert got.edges == tuple(edges)
    assert got.counts == counted(scores, edges)


@pytest.mark.parametrize("sparse", [False, True])
def test_scores_on_the_edges_of_bins(tables: dict[tuple[str, bool], Table], sparse: bool) -> None:
    """Probabilities of two decimals, bins of tenths and the like: computing a bin by division alone goes wrong."""
    table = tables["probabilities", sparse]
    scores = of_class(table, "toad")["score"]
    for bins, high in itertools.product((5, 10, 20, 25, 50, 90, 100), (0.7, 0.9, 1.0)):
        params = HistogramParams(scores_id="", class_="toad", bins=bins, range=(0.0, high))
        assert histogram_of(table.open, params, CancelToken()).counts == counted(scores, np.linspace(0, high, bins + 1))


@questions
@given(
    which=which,
    by=st.sampled_from(["class", "file", "hour", "date", "site"]),
    name=st.sampled_from([None, *CLASSES[:4]]),
    threshold=st.sampled_from([None, -1.0, 0.0, 0.25, 0.5, 1.0, 2.0]),  # there are scores that are just these
)
def test_a_summary(
    tables: dict[tuple[str, bool], Table], which: tuple[str, bool], by: str, name: str | None, threshold: float | None
) -> None:
    table = tables[which]
    reached = of_class(table, name)
    reached = reached if threshold is None else reached[reached["score"] >= threshold]
    found = reached.groupby(by, dropna=False)["score"].agg(["size", "max"])
    expected = [(None if pd.isna(key) else key, size, high) for key, size, high in found.itertuples(name=None)]
    if by == "class":  # classes are there without any score, too, in the order of the table
        known = {key: (key, size, high) for key, size, high in expected}
        expected = [known.get(key, (key, 0, None)) for key in table.names if name in (None, key)]

    params = SummaryParams(scores_id="", by=by, class_=name, threshold=threshold)  # type: ignore[arg-type]
    got = summary_of(table.open, params, CancelToken())

    assert [(group.key, group.count, group.max) for group in got.groups] == expected


def sample(table: Table, **params: object) -> Sample:
    return sample_detections(table.open, SampleParams(scores_id="", **params), CancelToken())  # type: ignore[arg-type]


def strata_of(chosen: pd.DataFrame, group_by: str | None, *, stratified: bool) -> pd.Series:
    """The stratum of each score: its group, its tenth of the range of finite scores, or both."""
    parts = [pd.Series("", chosen.index) if group_by is None else chosen[group_by].fillna("unknown")]
    if stratified:
        finite = chosen["score"][np.isfinite(chosen["score"])]
        low, high = (0.0, 0.0) if finite.empty else (finite.min() / 2, finite.max() / 2)
        share = (
            (chosen["score"].clip(2 * low, 2 * high) / 2 - low) / (high - low) if high > low else chosen["score"] * 0
        )
        parts.append(np.floor(share.fillna(0) * 10).clip(upper=9).astype(int).astype(str))
    return parts[0].str.cat(parts[1:], sep="|")


@settings(max_examples=40)
@given(
    which=which,
    name=st.sampled_from(CLASSES),
    ends=limits,
    strategy=st.sampled_from(["top", "random", "stratified"]),
    group_by=st.sampled_from([None, "file", "date", "site"]),
    count=st.integers(1, 80),
    seed=st.integers(0, 3),
)
def test_a_sample(
    tables: dict[tuple[str, bool], Table], which: tuple[str, bool], name: str, ends: tuple[float, float] | None,
    strategy: str, group_by: str | None, count: int, seed: int,
) -> None:  # fmt: skip
    table = tables[which]
    name = name if name in table.names else "rare"
    chosen = within(of_class(table, name), ends).sort_values(["score", "row"], ascending=[False, True])
    strata = strata_of(chosen, group_by, stratified=strategy == "stratified")
    asked = {"class_": name, "score_range": ends, "strategy": strategy, "group_by": group_by, "count": count}

    got = sample(table, **asked, seed=seed)

    taken = chosen[chosen["row"].isin([detection.row for detection in got.detections])]
    assert got.total == len(chosen)
    assert len(got.detections) == len(taken) == min(count, len(chosen))
    assert [(d.row, d.path, d.start_seconds, d.score) for d in got.detections] == list(
        taken[["row", "path", "start", "score"]].itertuples(index=False, name=None)
    )
    assert got == sample(table, **asked, seed=seed)
    # Taken in turns: no stratum that has more to give is more than one behind another.
    sizes, given_by = strata.value_counts(), strata[taken.index].value_counts()
    given_by = given_by.reindex(sizes.index, fill_value=0)
    behind = given_by[given_by < sizes]
    assert behind.empty or given_by.max() <= behind.min() + 1
    if strategy == "top":
        turns = chosen.assign(turn=chosen.groupby(strata).cumcount())
        assert set(taken["row"]) == set(
            turns.sort_values(["turn", "score", "row"], ascending=[True, False, True])["row"][:count]
        )


def test_chance_prefers_no_row(tables: dict[tuple[str, bool], Table]) -> None:
    """Each of some 200 scores is in about a fifth of 100 samples, high ones not more than low ones."""
    table = tables["logits", False]
    chosen = of_class(table, "toad").set_index("row")["score"]
    draws = pd.Series(
        row
        for seed in range(100)
        for row in (
            d.row for d in sample(table, class_="toad", strategy="random", seed=seed, count=len(chosen) // 5).detections
        )
    )

    times = draws.value_counts().reindex(chosen.index, fill_value=0)

    assert 2 < times.min() < times.max() < 42  # 20, give or take five standard deviations
    assert abs(times.corr(chosen)) < 0.25
