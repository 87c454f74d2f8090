"""How the scores of a class are distributed.

What lives here: scores/histogram, with the edges and counts of numpy.histogram. What must not: SQL of a layout.
"""

from __future__ import annotations

import math

import numpy as np

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.scores import Histogram, HistogramParams
from sidecar.scores.questions import number, scores_of, within
from sidecar.scores.session import OpenTable


def histogram_of(table: OpenTable, params: HistogramParams, token: CancelToken) -> Histogram:
    """Edges and counts. Without a range, and without any finite score, the edges are those of 0..1.

    Raises
    ------
    ScoresNotFound, InvalidParams, RequestCancelled
    """
    position = table.position(params.class_)
    low, high = _range(table, position, params)
    edges = np.linspace(low, high, params.bins + 1)
    listed = f"[{', '.join(number(float(edge)) for edge in edges)}]"
    last = params.bins - 1
    # As numpy does: compute the bin by division, then correct it by the edges, which rounding may have crossed.
    guess = f"least({last}, CAST(floor((score - {number(low)}) * {number(params.bins / (high - low))}) AS INTEGER))"
    guessed = f"SELECT score, {guess} AS bin FROM ({scores_of(table, position)} AND {within((low, high))})"
    corrected = (
        f"bin - CAST(score < edges[bin + 1] AS INTEGER) "
        f"+ CAST(bin < {last} AND score >= edges[least(bin + 2, {params.bins})] AS INTEGER)"
    )
    query = f"SELECT {corrected} AS bin, count(*) FROM ({guessed}), (SELECT {listed} AS edges) GROUP BY 1"
    counts = [0] * params.bins
    with table.store.cursor(token) as cursor:
        for which, count in cursor.execute(query).fetchall():
            counts[which] = count
    return Histogram(edges=tuple(map(float, edges)), counts=tuple(counts))


def _range(table: OpenTable, position: int, params: HistogramParams) -> tuple[float, float]:
    """The ends of the range; equal ends are drawn apart by a half each, as numpy does."""
    summary = table.stored.content.classes[position]
    known = (0.0, 1.0) if summary.min is None or summary.max is None else (summary.min, summary.max)
    low, high = known if params.range is None else params.range
    within((low, high), "$.range")
    if low == high:
        low, high = low - 0.5, high + 0.5
    if not math.isfinite(high - low) or not math.isfinite(params.bins / (high - low)):
        raise InvalidParams(f"$.range: a range from {low:g} to {high:g} cannot be divided.")
    return low, high
