"""Several score tables open at once, asked, exported and closed in any order, compared with plain lists."""

from __future__ import annotations

import bisect
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
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from rpc.cancel import CancelToken
from rpc.errors import ScoresNotFound
from schemas.detections import SampleParams
from schemas.scores import ExportParams, HistogramParams, LoadParams, PageParams, SummaryParams
from sidecar.scores.export import export_table
from sidecar.scores.histogram import histogram_of
from sidecar.scores.page import page_of
from sidecar.scores.sampling import sample_detections
from sidecar.scores.session import ScoreSession
from sidecar.scores.summary import summary_of

LONG_AGO = time.time() - 1000


class Source(NamedTuple):
    """A table on the disk."""

    path: Path
    sparse: bool
    settled: bool


class Opened(NamedTuple):
    """A table that is open, and the scores that its one class, owl, had when it was loaded."""

    scores_id: str
    scores: tuple[float, ...]


scores = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=8).map(tuple)


class ScoresMachine(RuleBasedStateMachine):
    sources: Bundle[Source] = Bundle("sources")
    opened: Bundle[Opened] = Bundle("opened")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.session = ScoreSession(self.folder / "cache")
        self.numbers = itertools.count()
        self.model: dict[Path, tuple[float, ...]] = {}
        self.open_now: dict[str, tuple[float, ...]] = {}

    def teardown(self) -> None:
        self.session.close_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(target=sources, scores=scores, sparse=st.booleans(), settled=st.booleans())
    def write(self, scores: tuple[float, ...], sparse: bool, settled: bool) -> Source:
        source = Source(self.folder / f"{next(self.numbers)}.csv", sparse, settled)
        self._fill(source, scores)
        return source

    @rule(source=sources, scores=scores)
    def change(self, source: Source, scores: tuple[float, ...]) -> None:
        """The tables that are open answer as before; loading again gives the new scores."""
        if source.path.suffix == ".csv":
            self._fill(source, scores)

    def _fill(self, source: Source, scores: tuple[float, ...]) -> None:
        header, cell = (
            ("file,start_time,end_time,class,score", "owl,") if source.sparse else ("file,start_time,end_time,owl", "")
        )
        rows = [f"/r.wav,{3 * index},{3 * index + 3},{cell}{score}" for index, score in enumerate(scores)]
        source.path.write_text("\n".join([header, *rows]))
        if source.settled:  # old enough to be kept, and never of the same age twice
            moment = LONG_AGO + next(self.numbers)
            os.utime(source.path, (moment, moment))
        self.model[source.path] = scores

    @rule(target=opened, source=sources, times=st.integers(1, 2))
    def load(self, source: Source, times: int) -> MultipleResults[Opened]:
        scores = self.model[source.path]
        tables = [self.session.load(LoadParams(path=str(source.path)), CancelToken()) for _ in range(times)]
        assert {table.row_count for table in tables} == {len(scores)}
        self.open_now |= {table.scores_id: scores for table in tables}
        return multiple(*(Opened(table.scores_id, scores) for table in tables))

    @rule(table=opened, offset=st.integers(0, 3), limit=st.integers(1, 5))
    def page(self, table: Opened, offset: int, limit: int) -> None:
        params = PageParams(scores_id="", class_="owl", offset=offset, limit=limit)
        got = page_of(self.session.get(table.scores_id), params, CancelToken())
        ordered = sorted(table.scores, reverse=True)
        assert [row.score for row in got.rows] == ordered[offset : offset + limit]

    @rule(table=opened, count=st.integers(1, 5), strategy=st.sampled_from(["top", "random", "stratified"]))
    def sample(self, table: Opened, count: int, strategy: str) -> None:
        params = SampleParams(scores_id="", class_="owl", count=count, strategy=strategy)  # type: ignore[arg-type]
        got = sample_detections(self.session.get(table.scores_id), params, CancelToken())
        ordered = sorted(table.scores, reverse=True)
        taken = [(round(detection.start_seconds / 3), detection.score) for detection in got.detections]
        assert len(set(taken)) == min(count, len(ordered))
        assert all(table.scores[row] == score for row, score in taken)
        assert strategy != "top" or [score for _, score in taken] == ordered[:count]

    @rule(table=opened, bins=st.integers(1, 6))
    def histogram(self, table: Opened, bins: int) -> None:
        params = HistogramParams(scores_id="", class_="owl", bins=bins, range=(-50, 50))
        got = histogram_of(self.session.get(table.scores_id), params, CancelToken())
        places = [min(bisect.bisect_right(got.edges, score) - 1, bins - 1) for score in table.scores]
        assert list(got.counts) == [places.count(which) for which in range(bins)]

    @rule(table=opened, threshold=st.integers(-50, 50))
    def summary(self, table: Opened, threshold: int) -> None:
        params = SummaryParams(scores_id="", by="file", threshold=threshold)
        got = summary_of(self.session.get(table.scores_id), params, CancelToken())
        reached = [score for score in table.scores if score >= threshold]
        assert [(g.key, g.count, g.max) for g in got.groups] == (
            [("/r.wav", len(reached), max(reached))] if reached else []
        )

    @rule(target=sources, table=opened, kind=st.sampled_from(["csv", "parquet", "birdnet"]))
    def export(self, table: Opened, kind: str) -> Source:
        ending = "parquet" if kind == "parquet" else "exported"
        path = self.folder / f"{next(self.numbers)}.{ending}"
        params = ExportParams(scores_id="", path=str(path), format=kind)  # type: ignore[arg-type]
        done = export_table(self.session.get(table.scores_id), params, CancelToken())
        assert done.row_count == len(table.scores)
        self.model[path] = table.scores
        return Source(path, sparse=kind != "csv", settled=False)

    @rule(table=consumes(opened))
    def close(self, table: Opened) -> None:
        self.session.close(table.scores_id)
        del self.open_now[table.scores_id]
        with pytest.raises(ScoresNotFound):
            self.session.get(table.scores_id)

    @rule()
    def clear(self) -> None:
        self.session.clear_cache()

    @invariant()
    def every_open_table_answers(self) -> None:
        for scores_id, held in getattr(self, "open_now", {}).items():
            got = page_of(self.session.get(scores_id), PageParams(scores_id="", limit=1), CancelToken())
            assert (got.total, got.rows[0].score) == (len(held), max(held))


ScoresMachine.TestCase.settings = settings(
    max_examples=8, stateful_step_count=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestScores = pytest.mark.slow(ScoresMachine.TestCase)
