"""When parts are closed, by a clock that the test turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ml_runtime.books import Books
from ml_runtime.clips import extended_clips
from ml_runtime.pipeline.ahead import Opened
from ml_runtime.pipeline.batches import ScoredClip
from ml_runtime.presence import Presence
from ml_runtime.standing import take_stock
from schemas.config import InputConfig
from survey.ledger import Ledger
from survey.parts import Basis, Keep, PartWriter, read_parts, scored_ranges


class Run:
    """A run over one long recording, a clip a second."""

    def __init__(self, folder: Path, clips: int) -> None:
        self.now = 1000.0
        self.scores = folder / "scores"
        self.scores.mkdir()
        path = folder / "a.wav"
        path.write_bytes(b"sound")
        standing = take_stock([path], ())
        writer = PartWriter(self.scores, Basis("dense", ("owl",), "f", {}), Keep(None, None))
        ledger, presence = Ledger(folder / "ledger.jsonl"), Presence(InputConfig())
        self.books = Books(writer, ledger, standing, presence, clock=lambda: self.now)
        self.path = path
        self.clips = 0
        self.books.enter(Opened(path, extended_clips(float(clips), 1.0, 0.0), float(clips), ((0, clips),)))

    def score(self, clips: int, seconds: float) -> None:
        """Score `clips` clips, each of which takes `seconds`."""
        for _ in range(clips):
            self.now += seconds
            self.books.enter(ScoredClip(self.clips, np.ones(1, np.float32), None))
            self.clips += 1

    def kept(self) -> int:
        """Clips that would be there after a crash."""
        return sum(held.count for ranges in scored_ranges(read_parts(self.scores)).values() for held in ranges)

    def parts(self) -> int:
        return len(read_parts(self.scores))


def test_a_crash_loses_at_most_two_seconds_of_a_short_run(tmp_path):
    run = Run(tmp_path, 100)

    run.score(19, seconds=1.0)

    assert run.clips - run.kept() < 2


def test_a_crash_loses_about_a_tenth_of_a_run_and_at_most_a_minute(tmp_path):
    run = Run(tmp_path, 400)

    run.score(100, seconds=1.0)
    lost_after_100_seconds = run.clips - run.kept()
    run.score(200, seconds=10.0)
    lost_after_2100_seconds = 10 * (run.clips - run.kept())

    assert lost_after_100_seconds <= 10
    assert lost_after_2100_seconds < 60


def test_the_interval_grows_so_that_a_long_run_has_few_parts(tmp_path):
    run = Run(tmp_path, 600)

    run.score(600, seconds=1.0)

    # 10 in the first 20 s, then each a tenth later than the one before.
    assert 30 <= run.parts() <= 50


def test_what_comes_after_a_pause_is_closed_at_once(tmp_path):
    run = Run(tmp_path, 2)

    run.now += 100.0
    run.score(1, seconds=0.0)

    assert (run.kept(), run.parts()) == (1, 1)
