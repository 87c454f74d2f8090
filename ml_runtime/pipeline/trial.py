"""Scoring a job's first clips in several ways, each timed.

What lives here: those runs, and the scores that they gave. What must not: which way is tried when, and which is best
(tuning.py).

A run that did just what is chosen in the end need not be done again: its scores are the job's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ml_runtime.models.protocol import HasPlans, Scores

Score = Callable[[Sequence[Any]], Scores]


class Trial:
    """Runs of `model` over `clips`; `score` scores some of them by the plan that the model follows."""

    def __init__(self, model: HasPlans, clips: Sequence[Any], score: Score) -> None:
        self._model = model
        self._clips = clips
        self._score = score
        self._plan: str | None = None
        self._known: dict[tuple[str, int], Scores] = {}
        self._milliseconds: dict[tuple[str, int], float] = {}

    def run(self, plan: str, count: int) -> Scores:
        """The scores of the first `count` clips together. Raises whatever following the plan raises."""
        if self._plan != plan:
            self._model.follow(plan, self._clips)
            self._plan = plan
        begun = time.perf_counter()
        scores = self._score(self._clips[:count])
        taken = 1000 * (time.perf_counter() - begun) / count
        # Of several runs the last: what a plan does first (compiling, filling memory) it does once.
        self._known[plan, count] = scores
        self._milliseconds[plan, count] = min(taken, self.milliseconds(plan, count))
        return scores

    def milliseconds(self, plan: str, count: int) -> float:
        """What a clip took, at best."""
        return self._milliseconds.get((plan, count), math.inf)

    def deviation(self, plan: str, other: str, count: int) -> float:
        """By how much the scores of two plans differ, at most."""
        return float(np.abs(self._known[plan, count] - self._known[other, count]).max())

    def scores_by(self, plan: str, size: int) -> list[Scores]:
        """The scores of all clips by `plan`, `size` at a time; the first of these batches may have been run."""
        self._model.follow(plan, self._clips)
        starts = range(0, len(self._clips), size)
        known = self._known.get((plan, size))
        return [
            known if start == 0 and known is not None else self._score(self._clips[start : start + size])
            for start in starts
        ]
