"""Every detection of a class, or of all, within a range: what detections/export takes from a table.

What lives here: that choice. What must not: choosing a few to look at (sampling.py), clips.
"""

from __future__ import annotations

from rpc.cancel import CancelToken
from rpc.errors import InvalidParams
from schemas.detections import ChosenDetection, ExportParams
from sidecar.scores.questions import clips_of, scores_of, within
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
    position = None if params.class_ is None else table.position(params.class_)
    chosen = f"({scores_of(table, position)} AND {within(params.score_range)})"
    few = f"SELECT * FROM {chosen} ORDER BY score DESC, row, class LIMIT {params.limit or MAX_CHOSEN}"
    query = (
        f'SELECT path, "start", "end", class, score FROM ({few}) JOIN ({clips_of(table)}) USING (clip) '
        "ORDER BY score DESC, row, class"
    )
    with table.store.cursor(token) as cursor:
        if params.limit is None:
            _refuse_too_many(cursor.execute(f"SELECT count(*) FROM {chosen}").fetchone())
        rows = cursor.execute(query).fetchall()
    classes = table.stored.content.classes
    return tuple(
        ChosenDetection(
            path=path_to_wire(table.recordings.find(name)),
            start_seconds=start,
            end_seconds=end,
            class_=classes[number].name,
            score=score,
        )
        for name, start, end, number, score in rows
    )


def _refuse_too_many(counted: tuple[int] | None) -> None:
    if counted is not None and counted[0] > MAX_CHOSEN:
        raise InvalidParams(
            f"$.scoreRange: {counted[0]} detections are in range, and at most {MAX_CHOSEN} can be exported at once. "
            "Narrow the range, choose a class, or give a limit."
        )
