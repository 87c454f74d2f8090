"""Several score tables open at once, asked, exported and closed in any order, compared with plain lists."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from rpc.cancel import CancelToken
from rpc.errors import ScoresNotFound
from schemas.detections import SampleParams
from schemas.scores import ExportParams, LoadParams, PageParams
from sidecar.scores.export import export_table
from sidecar.scores.page import page_of
from sidecar.scores.sampling import sample_detections
from sidecar.scores.session import ScoreSession

LONG_AGO = time.time() - 1000


class Source(NamedTuple):
    """A table on the disk, and the scores of its one class, owl."""

    path: Path
    scores: tuple[float, ...]


class Opened(NamedTuple):
    scores_id: str
    source: Source


scores = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=8).map(tuple)


class ScoresMachine(RuleBasedStateMachine):
    sources: Bundle[Source] = Bundle("sources")
    opened: Bundle[Opened] = Bundle("opened")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.session = ScoreSession(self.folder / "cache")
        self.numbers = itertools.count()

    def teardown(self) -> None:
        self.session.close_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(target=sources, scores=scores, sparse=st.booleans(), settled=st.booleans())
    def write(self, scores: tuple[float, ...], sparse: bool, settled: bool) -> Source:
        path = self.folder / f"{next(self.numbers)}.csv"
        header, cell = (
            ("file,start_time,end_time,class,score", "owl,") if sparse else ("file,start_time,end_time,owl", "")
        )
        rows = [f"/r.wav,{3 * index},{3 * index + 3},{cell}{score}" for index, score in enumerate(scores)]
        path.write_text("\n".join([header, *rows]))
        if settled:  # old enough to be kept
            os.utime(path, (LONG_AGO, LONG_AGO))
        return Source(path, scores)

    @rule(target=opened, source=sources)
    def load(self, source: Source) -> Opened:
        table = self.session.load(LoadParams(path=str(source.path)), CancelToken())
        assert table.row_count == len(source.scores)
        return Opened(table.scores_id, source)

    @rule(table=opened, offset=st.integers(0, 3), limit=st.integers(1, 5))
    def page(self, table: Opened, offset: int, limit: int) -> None:
        params = PageParams(scores_id="", class_="owl", offset=offset, limit=limit)
        got = page_of(self.session.get(table.scores_id), params, CancelToken())
        ordered = sorted(table.source.scores, reverse=True)
        assert [row.score for row in got.rows] == ordered[offset : offset + limit]

    @rule(table=opened, count=st.integers(1, 5))
    def sample(self, table: Opened, count: int) -> None:
        params = SampleParams(scores_id="", class_="owl", count=count)
        got = sample_detections(self.session.get(table.scores_id), params, CancelToken())
        assert [d.score for d in got.detections] == sorted(table.source.scores, reverse=True)[:count]

    @rule(target=sources, table=opened, kind=st.sampled_from(["csv", "parquet", "birdnet"]))
    def export(self, table: Opened, kind: str) -> Source:
        ending = "parquet" if kind == "parquet" else "csv"
        path = self.folder / f"{next(self.numbers)}.{ending}"
        params = ExportParams(scores_id="", path=str(path), format=kind)  # type: ignore[arg-type]
        done = export_table(self.session.get(table.scores_id), params, CancelToken())
        assert done.row_count == len(table.source.scores)
        return Source(path, table.source.scores)

    @rule(table=consumes(opened))
    def close(self, table: Opened) -> None:
        self.session.close(table.scores_id)
        with pytest.raises(ScoresNotFound):
            self.session.get(table.scores_id)

    @rule()
    def clear(self) -> None:
        self.session.clear_cache()


ScoresMachine.TestCase.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestScores = pytest.mark.slow(ScoresMachine.TestCase)
