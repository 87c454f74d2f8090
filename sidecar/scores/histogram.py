"""How the scores of a class are distributed.

What lives here: scores/histogram, with the edges and counts of numpy.histogram. What must not: where scores are.
"""

from __future__ import annotations

import math

import numpy as np

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.scores import Histogram, HistogramParams
from sidecar.scores.questions import Scores, checked_range, scores_of
from sidecar.scores.session import OpenTable
from survey.tables.columns import Column


def histogram_of(table: OpenTable, params: HistogramParams, token: CancelToken) -> Histogram:
    """Edges and counts. Without a range, and without any finite score, the edges are those of 0..1.

    Raises
    ------
    ScoresNotFound, InvalidParams, RequestCancelled
    """
    position = table.position(params.class_)
    low, high = _range(table, position, params)
    edges = np.linspace(low, high, params.bins + 1)
    counts = _counts(scores_of(table, position, token, (low, high)), edges)
    return Histogram(edges=tuple(map(float, edges)), counts=tuple(map(int, counts)))


def _counts(scores: Scores, edges: Column) -> Column:
    """How many scores there are in each bin; all of them are in one."""
    if scores.ordered:
        below: Column = len(scores.score) - np.searchsorted(-scores.score, -edges[1:-1], "right")
        return np.diff(below, prepend=0, append=len(scores.score))
    bins = np.searchsorted(edges[1:-1], scores.score, "right")
    return np.bincount(bins, minlength=len(edges) - 1)


def _range(table: OpenTable, position: int, params: HistogramParams) -> tuple[float, float]:
    """The ends of the range; equal ends are drawn apart by a half each, as numpy does."""
    summary = table.stored.content.classes[position]
    known = (0.0, 1.0) if summary.min is None or summary.max is None else (summary.min, summary.max)
    low, high = checked_range(params.range, "$.range") or known
    if low == high:
        low, high = low - 0.5, high + 0.5
    if not math.isfinite(high - low) or not math.isfinite(params.bins / (high - low)):
        raise InvalidParams(f"$.range: a range from {low:g} to {high:g} cannot be divided.")
    return low, high
