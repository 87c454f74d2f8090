"""survey.tables.sorting and long: scores in order and clips numbered, in pieces, against sorting everything at once."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from rpc.cancel import CancelToken
from rpc.errors import RequestCancelled
from survey.tables import long, sorting
from survey.tables.sorting import SortedScores
from survey.tables.store import TableStore
from tests.survey.tables.long_rows import long_rows

ROWS = 6000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TableStore]:
    store = TableStore(tmp_path / "cache")
    yield store
    store.close_all()


def scores_of(kind: str, chance: np.random.Generator) -> np.ndarray:
    if kind == "all different":
        return chance.normal(size=ROWS)
    if kind == "all equal":
        return np.ones(ROWS)
    odd = [0.0, 1.0, 2.0, math.nan, math.inf, -math.inf]
    return chance.choice(odd, ROWS)


@pytest.mark.parametrize("kind", ["all different", "all equal", "odd and equal"])
@pytest.mark.parametrize("classes", [1, 3, 400])
@pytest.mark.parametrize("large", [10**9, 500])
def test_pieces_are_merged_into_what_sorting_everything_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, classes: int, large: int
) -> None:
    monkeypatch.setattr(sorting, "_LARGEST_MERGE", large)
    monkeypatch.setattr(sorting, "_MERGED_AT_ONCE", 300)
    monkeypatch.setattr(sorting, "_PIECES_IN_MEMORY", 2)
    chance = np.random.default_rng(1)
    scores, numbers, rows = scores_of(kind, chance), chance.integers(0, classes, ROWS), np.arange(ROWS)
    taken = SortedScores(tmp_path / "spill", classes, bounds=False)
    for first in range(0, ROWS, 1000):
        these = slice(first, first + 1000)
        taken.add(numbers[these], {"clip": rows[these] // 2, "row": rows[these], "score": scores[these]})

    found = taken.write(tmp_path, CancelToken(), lambda _share: None)

    order = np.lexsort((rows, -scores, numbers))
    np.testing.assert_array_equal(np.fromfile(tmp_path / "row.u4", "u4"), order)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "clip.u4", "u4"), order // 2)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "score.f8", "f8"), scores[order])
    for number, one in enumerate(found):
        held = scores[numbers == number]
        finite = held[np.isfinite(held)]
        assert (one.held, one.count) == (len(held), int(np.count_nonzero(~np.isnan(held))))
        assert (one.low, one.high) == ((finite.min(), finite.max()) if len(finite) else (None, None))
        assert one.mean == (pytest.approx(finite.mean()) if len(finite) else None)


def test_merging_ends_when_nobody_waits(tmp_path: Path) -> None:
    taken, token = SortedScores(tmp_path / "spill", 1, bounds=False), CancelToken()
    taken.add(np.zeros(3), {"clip": np.arange(3), "row": np.arange(3), "score": np.arange(3.0)})
    token.cancel()

    with pytest.raises(RequestCancelled):
        taken.write(tmp_path, token, lambda _share: None)


@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_in_many_pieces_keep_their_clips(
    store: TableStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scattered: bool, ending: str
) -> None:
    monkeypatch.setattr(long, "PIECE", 70)
    monkeypatch.setattr(long, "_LOOKED_UP_AT_ONCE", 50)
    chance = np.random.default_rng(2)
    rows = [(f"/{i // 60}.wav", float(i // 3 % 20), float(i // 3 % 20 + 3), f"c{i % 3}", i / 8) for i in range(600)]
    if scattered:
        rows = [rows[i] for i in chance.permutation(len(rows))]
    path = tmp_path / f"s.{ending}"
    write(path, rows)

    table = store.open(path, "auto", CancelToken())

    assert [row for _, row, _ in long_rows(table)] == rows
    assert (table.content.clip_count, table.content.file_count) == (200, 10)


def write(path: Path, rows: list[tuple[str, float, float, str, float]]) -> None:
    text = "\n".join(",".join(map(str, row)) for row in [("file", "start_time", "end_time", "class", "score"), *rows])
    if path.suffix == ".csv":
        path.write_text(text)
    else:
        source = path.with_suffix(".source")
        source.write_text(text)
        duckdb.connect().execute(f"COPY (FROM read_csv('{source}')) TO '{path}' (FORMAT parquet)")
    os.utime(path, (time.time() - 100,) * 2)
