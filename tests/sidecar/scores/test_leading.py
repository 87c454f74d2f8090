"""sidecar.scores.leading: pages of all classes of a dense table, against sorting everything."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from rpc.cancel import CancelToken
from schemas.scores import LoadParams, PageParams
from sidecar.scores.page import page_of
from sidecar.scores.session import OpenTable, ScoreSession

CLIPS, CLASSES = 400, 5


@pytest.fixture(params=["numbers alone", "with gaps, NaN and infinities"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[OpenTable, list[tuple[Any, ...]]]]:
    chance = random.Random(1)
    odd = ["", "nan", "inf", "-inf"] if request.param != "numbers alone" else []
    cells = [[chance.choice([*map(str, range(-9, 9)), *odd]) for _ in range(CLASSES)] for _ in range(CLIPS)]
    keys = [(f"/{chance.randrange(20):02}.wav", float(chance.randrange(50))) for _ in range(CLIPS)]
    text = "".join(f"{path},{at},{at + 5},{','.join(row)}\n" for (path, at), row in zip(keys, cells, strict=True))
    path = tmp_path / "s.csv"
    path.write_text(f"file,start_time,end_time,{','.join(f'c{i}' for i in range(CLASSES))}\n{text}")
    session = ScoreSession(tmp_path / "cache")
    table = session.get(session.load(LoadParams(path=str(path)), CancelToken()).scores_id)
    scores = [
        (row, number, *keys[row], float(cell))
        for row, line in enumerate(cells)
        for number, cell in enumerate(line)
        if cell and not math.isnan(float(cell))
    ]
    yield table, scores
    session.close_all()


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["score", "path", "row"])
@pytest.mark.parametrize("offset", [0, 30, 900])
def test_a_page_of_all_classes_is_that_of_sorting_everything(
    opened: tuple[OpenTable, list[tuple[Any, ...]]],
    sort: Literal["score", "path", "row"],
    offset: int,
    *,
    descending: bool,
) -> None:
    table, scores = opened
    key = {"score": lambda s: s[4], "path": lambda s: s[2:4], "row": lambda s: s[0]}[sort]
    expected = sorted(scores, key=key, reverse=descending)[offset : offset + 15]

    page = page_of(
        table, PageParams(table.scores_id, sort=sort, descending=descending, offset=offset, limit=15), CancelToken()
    )

    assert [(row.row, row.class_, row.score) for row in page.rows] == [(s[0], f"c{s[1]}", s[4]) for s in expected]
    assert page.total == len(scores)


@pytest.mark.parametrize("files", [None, ("/03.wav", "/07.wav")])
def test_the_total_of_a_page_counts_what_is_in_range(
    opened: tuple[OpenTable, list[tuple[Any, ...]]], files: tuple[str, ...] | None
) -> None:
    table, scores = opened

    page = page_of(table, PageParams(table.scores_id, score_range=(2.0, 5.0), files=files, limit=10), CancelToken())

    assert page.total == sum(2 <= s[4] <= 5 and (files is None or s[2] in files) for s in scores)
    assert all(2 <= (row.score or 0) <= 5 for row in page.rows)
