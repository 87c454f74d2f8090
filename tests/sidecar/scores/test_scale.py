"""A table of millions of scores: bounded memory and quick answers. benchmarks/scores.py has the real bars."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import duckdb
import pytest

from rpc.cancel import CancelToken
from schemas.detections import SampleParams
from schemas.scores import HistogramParams, LoadParams, PageParams
from sidecar.scores.histogram import histogram_of
from sidecar.scores.page import page_of
from sidecar.scores.sampling import sample_detections
from sidecar.scores.session import ScoreSession

CLIPS, SCORES_PER_CLIP, CLASSES = 200_000, 10, 500
LOAD = """
    import resource, sys
    from pathlib import Path
    from rpc.cancel import CancelToken
    from schemas.scores import LoadParams
    from sidecar.scores.session import ScoreSession
    session = ScoreSession(Path(sys.argv[2]))
    session.load(LoadParams(path=sys.argv[1]), CancelToken())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="the highest memory is asked of the resource module")
def test_two_million_scores_load_in_bounded_memory_and_answer_at_once(tmp_path: Path) -> None:
    path, cache = tmp_path / "season.parquet", tmp_path / "cache"
    pairs = f"SELECT clip, unnest(range({SCORES_PER_CLIP})) * 50 + clip % 50 AS k FROM range({CLIPS}) t(clip)"
    duckdb.connect().execute(
        f"COPY (SELECT printf('/r/S%04d.WAV', clip // 720) AS file, clip % 720 * 5.0 AS start_time, "
        f"clip % 720 * 5.0 + 5 AS end_time, printf('class %03d', k) AS class, hash(clip, k) % 1000 / 1000.0 AS score "
        f"FROM ({pairs})) TO '{path}' (FORMAT parquet)"
    )

    os.utime(path, (time.time() - 60,) * 2)  # what was written this moment would not be kept
    command = [sys.executable, "-c", textwrap.dedent(LOAD), str(path), str(cache)]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    session = ScoreSession(cache)
    described = session.load(LoadParams(path=str(path)), CancelToken())
    table, one = session.get(described.scores_id), "class 123"
    count = next(summary.count for summary in described.classes if summary.name == one)

    times = []
    for number in range(10):
        start = time.perf_counter()
        histogram_of(table, HistogramParams(scores_id=table.scores_id, class_=one), CancelToken())
        page_of(
            table, PageParams(scores_id=table.scores_id, class_=one, offset=count - 10 * (number + 1)), CancelToken()
        )
        sample_detections(
            table, SampleParams(scores_id=table.scores_id, class_=one, strategy="stratified"), CancelToken()
        )
        times.append((time.perf_counter() - start) / 3)

    session.close_all()
    assert (described.row_count, len(described.classes)) == (CLIPS, CLASSES)
    assert sum(summary.count for summary in described.classes) == CLIPS * SCORES_PER_CLIP
    assert peak < 700
    assert statistics.median(times) < 0.3
