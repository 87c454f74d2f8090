"""Choosing detections of a class to look at.

What lives here: the strategies. What must not: rendering (the handler's), SQL of a layout (questions.py).
"""

from __future__ import annotations

import sys

from rpc.cancel import CancelToken
from schemas.detections import Detection, Sample, SampleParams
from sidecar.scores.questions import clips_of, scores_of, within
from sidecar.scores.session import OpenTable
from survey.paths import path_to_wire


def sample_detections(table: OpenTable, params: SampleParams, token: CancelToken) -> Sample:
    """The highest scores of a class within a range, and how many there are. Equal scores come in the table's order.

    Raises
    ------
    ScoresNotFound
        The table has no such class.
    InvalidParams
        The range's ends are swapped.
    """
    chosen = f"({scores_of(table, table.position(params.class_))} AND {within(params.score_range)})"
    top = f"SELECT * FROM {chosen} ORDER BY score DESC, row LIMIT {params.count}"
    query = (
        f'SELECT row, score, path, "start", "end" FROM ({top}) JOIN ({clips_of(table)}) USING (clip) '
        "ORDER BY score DESC, row"
    )
    with table.store.cursor(token) as cursor:
        counted = cursor.execute(f"SELECT count(*) FROM {chosen}").fetchone()
        rows = cursor.execute(query).fetchall()
    detections = tuple(_detection(table, row, params.seconds_when_whole_file) for row in rows)
    return Sample(detections=detections, total=counted[0] if counted else 0)


def _detection(table: OpenTable, row: tuple[int, float, str, float, float], whole_file_seconds: float) -> Detection:
    """A row (number, score, path, start, end). Times of 0 and 0 stand for a whole file, shown by its beginning."""
    number, score, name, start, end = row
    return Detection(
        path=path_to_wire(table.recordings.find(name)),
        start_seconds=start,
        end_seconds=whole_file_seconds if start == end == 0 else end,
        score=_finite(score),
        row=number,
    )


def _finite(score: float) -> float:
    """JSON knows no infinity; the largest number there is keeps the order."""
    return max(-sys.float_info.max, min(score, sys.float_info.max))
