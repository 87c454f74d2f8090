"""Every detection of a class, or of all, within a range: what detections/export takes from a table.

What lives here: that choice. What must not: choosing a few to look at (sampling.py), clips.
"""

from __future__ import annotations

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.detections import ChosenDetection, ExportParams
from schemas.scores import PageParams
from sidecar.scores.page import shown_scores
from sidecar.scores.questions import Scores
from sidecar.scores.session import OpenTable
from survey.paths import path_to_wire

MAX_CHOSEN = 100_000


def choose_detections(table: OpenTable, params: ExportParams, token: CancelToken) -> tuple[ChosenDetection, ...]:
    """The scores that `params` asks for, the highest first; equal ones in the table's order.

    Raises
    ------
    ScoresNotFound
        The table has no such class.
    InvalidParams
        The range's ends are swapped, or more than MAX_CHOSEN are in range and there is no limit.
    RequestCancelled
    """
    page = PageParams(
        scores_id=table.scores_id,
        class_=params.class_,
        score_range=params.score_range,
        limit=params.limit or MAX_CHOSEN,
    )
    shown, total = shown_scores(table, page, token)
    if params.limit is None:
        _refuse_too_many(total)
    return tuple(_detection(table, shown, index) for index in range(len(shown.row)))


def _detection(table: OpenTable, shown: Scores, index: int) -> ChosenDetection:
    assert shown.classes is not None
    clips, clip = table.stored.kept.clips, int(shown.clip[index])
    return ChosenDetection(
        path=path_to_wire(table.recording(clip)),
        start_seconds=float(clips.start[clip]),
        end_seconds=float(clips.end[clip]),
        class_=table.stored.content.classes[shown.classes[index]].name,
        score=float(shown.score[index]),
    )


def _refuse_too_many(total: int) -> None:
    if total > MAX_CHOSEN:
        raise InvalidParams(
            f"$.scoreRange: {total} detections are in range, and at most {MAX_CHOSEN} can be exported at once. "
            "Narrow the range, choose a class, or give a limit."
        )
