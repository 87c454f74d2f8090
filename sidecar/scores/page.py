"""Rows of a table, some at a time.

What lives here: scores/page. What must not: choosing detections to look at (sampling.py), SQL (leading.py).
"""

from __future__ import annotations

import numpy as np

from rpc.cancel import CancelToken
from schemas.scores import Page, PageParams, ScoreRow
from sidecar.scores.every_class import every_class_page
from sidecar.scores.leading import leading_page
from sidecar.scores.questions import Scores, checked_range, scores_of
from sidecar.scores.session import OpenTable
from sidecar.scores.window import window
from survey.paths import path_to_wire
from survey.tables.columns import Column


def page_of(table: OpenTable, params: PageParams, token: CancelToken) -> Page:
    """The rows that `params` asks for. Rows that are equal in what is sorted by come in the table's order.

    Raises
    ------
    ScoresNotFound, InvalidParams, RequestCancelled
    """
    shown, total = shown_scores(table, params, token)
    return Page(rows=tuple(_row(table, shown, index) for index in range(len(shown.row))), total=total)


def shown_scores(table: OpenTable, params: PageParams, token: CancelToken) -> tuple[Scores, int]:
    """The scores of a page with their classes, and how many fit in all. Raises as `page_of`."""
    checked_range(params.score_range)
    position = None if params.class_ is None else table.position(params.class_)
    files = None if params.files is None else _chosen_files(table, params.files, token)
    if position is None:
        return leading_page(table, params, token) or every_class_page(table, params, files, token)
    shown, total = _of_class(table, position, params, files, token)
    return shown.with_classes(np.full(len(shown.row), position)), total


def _of_class(
    table: OpenTable, position: int, params: PageParams, files: Column | None, token: CancelToken
) -> tuple[Scores, int]:
    scores = scores_of(table, position, token, params.score_range)
    if files is not None:
        scores = scores.take(np.flatnonzero(files[table.stored.kept.clips.file[scores.clip]]))
    last = params.offset + params.limit
    if scores.ordered and params.sort == "score" and params.descending:
        return scores.take(slice(params.offset, last)), len(scores.row)
    return scores.take(window(_keys(table, scores, params), params.offset, last)), len(scores.row)


def _keys(table: OpenTable, scores: Scores, params: PageParams) -> tuple[Column, ...]:
    """What rows are sorted by, upwards."""
    clips = table.stored.kept.clips
    if params.sort == "score":
        keys: tuple[Column, ...] = (scores.score,)
    elif params.sort == "row":
        keys = (scores.row.astype(np.int64),)
    else:
        keys = (table.file_ranks()[clips.file[scores.clip]], clips.start[scores.clip])
    return (*(-key for key in keys), scores.row) if params.descending else (*keys, scores.row)


def _chosen_files(table: OpenTable, files: tuple[str, ...], token: CancelToken) -> Column:
    """Of every recording whether it is among `files`, by its name in the table or by where it is now."""
    wanted = set(files)
    by_name = [name in wanted for name in table.names()]
    if sum(by_name) == len(wanted):
        return np.array(by_name, np.bool_)
    by_place = [place in wanted for place in table.places_now(token)]
    return np.array(by_name, np.bool_) | np.array(by_place, np.bool_)


def _row(table: OpenTable, shown: Scores, index: int) -> ScoreRow:
    assert shown.classes is not None
    clips, clip = table.stored.kept.clips, int(shown.clip[index])
    return ScoreRow(
        row=int(shown.row[index]),
        path=path_to_wire(table.recording(clip)),
        start_seconds=float(clips.start[clip]),
        end_seconds=float(clips.end[clip]),
        class_=table.stored.content.classes[shown.classes[index]].name,
        score=float(shown.score[index]),
    )
