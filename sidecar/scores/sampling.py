"""Choosing detections of a class to look at.

What lives here: the strategies. What must not: rendering (the handler's), SQL of a layout (questions.py).

Every strategy is one idea: the scores are dealt into strata (by group, by part of the score range), ordered within
each (by score, or by chance), and taken in turns, one from each stratum, until there are enough.
"""

from __future__ import annotations

from rpc.cancel import CancelToken
from schemas.detections import Detection, Sample, SampleParams
from sidecar.scores.grouping import GROUP_SQL, add_groups
from sidecar.scores.questions import clips_of, number, scores_of, within
from sidecar.scores.session import OpenTable
from survey.paths import path_to_wire

_BINS = 10


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
    chosen = f"({scores_of(table, table.position(params.class_))} AND {within(params.score_range)})"
    names = () if params.group_by is None else table.names(token)
    query = (
        f'SELECT row, score, path, "start", "end" FROM ({_taken(table, chosen, params)}) '
        f"JOIN ({clips_of(table)}) USING (clip) ORDER BY score DESC, row"
    )
    with table.store.cursor(token) as cursor:
        if params.group_by is not None:
            add_groups(cursor, names)
        counted = cursor.execute(f"SELECT count(*) FROM {chosen}").fetchone()
        rows = cursor.execute(query).fetchall()
    detections = tuple(_detection(table, row, params.seconds_when_whole_file) for row in rows)
    return Sample(detections=detections, total=counted[0] if counted else 0)


def _taken(table: OpenTable, chosen: str, params: SampleParams) -> str:
    """A query for the rows that are taken: row, clip, score."""
    chance = f"hash(row, {params.seed})"
    order = "score DESC, row" if params.strategy == "top" else f"{chance}, row"
    if params.group_by is None and params.strategy != "stratified":
        return f"SELECT row, clip, score FROM {chosen} ORDER BY {order} LIMIT {params.count}"
    rows, strata = chosen, []
    if params.group_by is not None:
        key = GROUP_SQL[params.group_by]
        placed = f"({clips_of(table)}) LEFT JOIN places USING (path)"
        rows = f"(SELECT c.row, c.clip, c.score, {key} AS part FROM {chosen} AS c JOIN ({placed}) USING (clip))"
        strata.append("part")
    if params.strategy == "stratified":
        rows = f"(SELECT *, {_bin_of_score(*_ends(table, params))} AS bin FROM {rows})"
        strata.append("bin")
    turn = f"row_number() OVER (PARTITION BY {', '.join(strata)} ORDER BY {order})"
    dealt = f"(SELECT *, {turn} AS turn FROM {rows})"
    return f"SELECT row, clip, score FROM {dealt} ORDER BY turn, {order} LIMIT {params.count}"


def _ends(table: OpenTable, params: SampleParams) -> tuple[str, str]:
    """The lowest and highest finite score, in SQL; those of a whole class are known."""
    summary = table.stored.content.classes[table.position(params.class_)]
    if params.score_range is None and summary.min is not None and summary.max is not None:
        return number(summary.min), number(summary.max)
    low, high = (f"{end}(score) FILTER (isfinite(score)) OVER ()" for end in ("min", "max"))
    return low, high


def _bin_of_score(low: str, high: str) -> str:
    """Which part of the range of finite scores a score is in; infinite ones are in the parts at the ends."""
    # Halves, because the difference of two numbers can be beyond all numbers.
    share = f"(greatest(least(score, {high}), {low}) / 2 - {low} / 2) / nullif({high} / 2 - {low} / 2, 0)"
    return f"coalesce(least({_BINS - 1}, CAST(floor({share} * {_BINS}) AS INTEGER)), 0)"


def _detection(table: OpenTable, row: tuple[int, float, str, float, float], whole_file_seconds: float) -> Detection:
    """A row (number, score, path, start, end). Times of 0 and 0 stand for a whole file, shown by its beginning."""
    number, score, name, start, end = row
    return Detection(
        path=path_to_wire(table.recordings.find(name)),
        start_seconds=start,
        end_seconds=whole_file_seconds if start == end == 0 else end,
        score=score,
        row=number,
    )
