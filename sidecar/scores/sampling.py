"""Choosing detections of a class to look at.

What lives here: the strategies. What must not: rendering (the handler's), where scores are (questions.py).

Every strategy is one idea: the scores are dealt into strata (by group, by part of the score range), ordered within
each (by score, or by chance), and taken in turns, one from each stratum, until there are enough.
"""

from __future__ import annotations

import numpy as np

from rpc.cancel import CancelToken
from schemas.detections import Detection, Sample, SampleParams
from sidecar.scores.grouping import groups_of
from sidecar.scores.questions import Scores, checked_range, scores_of
from sidecar.scores.session import OpenTable
from sidecar.scores.window import window
from survey.paths import path_to_wire
from survey.tables.columns import Column
from survey.tables.sorting import from_the_highest

_BINS = 10
_FEW_STRATA = 32


def sample_detections(table: OpenTable, params: SampleParams, token: CancelToken) -> Sample:
    """Detections by `params.strategy`, highest score first, and how many were in range.

    Equal scores come in the table's order.

    Raises
    ------
    ScoresNotFound
        The table has no such class.
    InvalidParams
        The range's ends are swapped.
    """
    position = table.position(params.class_)
    scores = scores_of(table, position, token, checked_range(params.score_range))
    taken = scores.take(_taken(table, scores, params))
    shown = taken.take(window((-taken.score, taken.row), 0, len(taken.row)))
    detections = tuple(
        _detection(table, shown, index, params.seconds_when_whole_file) for index in range(len(shown.row))
    )
    return Sample(detections=detections, total=len(scores.row))


def _taken(table: OpenTable, scores: Scores, params: SampleParams) -> Column:
    """Where those stand that are taken."""
    key = -scores.score if params.strategy == "top" else _chance(scores.row, params.seed)
    strata = _strata(table, scores, params)
    if strata is None:
        return window((key, scores.row), 0, params.count)
    places = _candidates(strata, key, scores.row, params.count)
    strata, key, rows = strata[places], key[places], scores.row[places]
    # Of numbers by chance no two are the same; equal scores come by row already.
    order = from_the_highest(-key) if params.strategy == "top" else np.argsort(key)
    return places[window((_turns(strata, order), key, rows), 0, params.count)]


def _candidates(strata: Column, key: Column, rows: Column, count: int) -> Column:
    """Places among which those are that are taken: where there are few strata, the first `count` of each."""
    present = np.flatnonzero(np.bincount(strata))
    if len(present) > _FEW_STRATA:
        return np.arange(len(strata))
    members = [np.flatnonzero(strata == stratum) for stratum in present]
    firsts = [places[window((key[places], rows[places]), 0, count)] for places in members]
    return np.concatenate(firsts) if firsts else np.empty(0, np.int64)


def _chance(rows: Column, seed: int) -> Column:
    """A number for each row that looks like chance, the same for the same seed: the mixing of splitmix64."""
    mixed = rows.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _strata(table: OpenTable, scores: Scores, params: SampleParams) -> Column | None:
    """The number of each score's stratum; None when all are in one."""
    strata: Column | None = None
    if params.group_by is not None:
        strata = groups_of(table.places(), table.stored.kept.clips, scores.clip, params.group_by).numbers
    if params.strategy == "stratified":
        parts = _part_of_range(scores.score, *_ends(table, scores, params))
        strata = parts if strata is None else strata.astype(np.int64) * _BINS + parts
    return strata


def _ends(table: OpenTable, scores: Scores, params: SampleParams) -> tuple[float, float]:
    """The lowest and highest finite score; those of a whole class are known."""
    summary = table.stored.content.classes[table.position(params.class_)]
    if params.score_range is None and summary.min is not None and summary.max is not None:
        return summary.min, summary.max
    finite = scores.score[np.isfinite(scores.score)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)


def _part_of_range(scores: Column, low: float, high: float) -> Column:
    """Which part of the range of finite scores a score is in; infinite ones are in the parts at the ends."""
    if low == high:
        return np.zeros(len(scores), np.int64)
    # Halves, because the difference of two numbers can be beyond all numbers.
    shares = (np.clip(scores, low, high) / 2 - low / 2) / (high / 2 - low / 2)
    return np.minimum(np.floor(shares * _BINS), _BINS - 1).astype(np.int64)


def _turns(strata: Column, order: Column) -> Column:
    """Which one of its stratum each is, if they are taken in this order."""
    # Numbers of 16 bits are sorted in a fraction of the time.
    narrow = strata.astype(np.uint16) if strata.max(initial=0) < 2**16 else strata
    order = order[np.argsort(narrow[order], kind="stable")]
    sorted_strata = strata[order]
    begins = np.flatnonzero(np.concatenate(([True], sorted_strata[1:] != sorted_strata[:-1])))[: len(order)]
    turns = np.empty(len(order), np.int64)
    turns[order] = np.arange(len(order)) - np.repeat(begins, np.diff(begins, append=len(order)))
    return turns


def _detection(table: OpenTable, shown: Scores, index: int, whole_file_seconds: float) -> Detection:
    """Times of 0 and 0 stand for a whole file, shown by its beginning."""
    clips, clip = table.stored.kept.clips, int(shown.clip[index])
    start, end = float(clips.start[clip]), float(clips.end[clip])
    return Detection(
        path=path_to_wire(table.recording(clip)),
        start_seconds=start,
        end_seconds=whole_file_seconds if start == end == 0 else end,
        score=float(shown.score[index]),
        row=int(shown.row[index]),
    )
