"""Rows of a table, some at a time.

What lives here: scores/page. What must not: choosing detections to look at (sampling.py).
"""

from __future__ import annotations

import duckdb

from rpc.cancel import CancelToken
from schemas.scores import Page, PageParams, ScoreRow
from sidecar.scores.leading import count_cells, scores_of_leading
from sidecar.scores.questions import clips_of, scores_of, within
from sidecar.scores.session import OpenTable
from survey.database import literal
from survey.paths import path_to_wire

_Row = tuple[int, int, float, str, float, float]


def page_of(table: OpenTable, params: PageParams, token: CancelToken) -> Page:
    """The rows that `params` asks for. Rows that are equal in what is sorted by come in the table's order.

    Raises
    ------
    ScoresNotFound, InvalidParams, RequestCancelled
    """
    position = None if params.class_ is None else table.position(params.class_)
    clips = f"({clips_of(table)})"
    if params.files is not None:
        clips = f"(SELECT * FROM {clips} WHERE path IN ({_names(table, params.files, token)}))"
    chosen = f"({scores_of(table, position)} AND {within(params.score_range)})"
    if params.files is not None:
        chosen = f"(SELECT * FROM {chosen} SEMI JOIN {clips} USING (clip))"
    with table.store.cursor(token) as cursor:
        leading = scores_of_leading(cursor, table, params)
        total = _total(cursor, table, params, position, clips)
        rows: list[_Row] = cursor.execute(
            _query(params, chosen if leading is None else f"({leading})", clips)
        ).fetchall()
    return Page(rows=tuple(_row(table, row) for row in rows), total=total)


def _query(params: PageParams, chosen: str, clips: str) -> str:
    order = _order(params)
    columns = 'row, class, score, path, "start", "end"'
    limit = f"LIMIT {params.limit} OFFSET {params.offset}"
    if params.sort == "path":
        return f"SELECT {columns} FROM {chosen} JOIN {clips} USING (clip) ORDER BY {order} {limit}"
    few = f"(SELECT * FROM {chosen} ORDER BY {order} {limit})"
    return f"SELECT {columns} FROM {few} JOIN {clips} USING (clip) ORDER BY {order}"


def _total(
    cursor: duckdb.DuckDBPyConnection, table: OpenTable, params: PageParams, position: int | None, clips: str
) -> int:
    """How many scores fit."""
    classes = table.stored.content.classes
    if params.score_range is None and params.files is None:
        return sum(summary.count for summary in (classes if position is None else [classes[position]]))
    if table.stored.content.wide and position is None:
        query = count_cells(table, params, clips)
    else:
        asked = "" if params.files is None else f" SEMI JOIN {clips} USING (clip)"
        chosen = f"({scores_of(table, position)} AND {within(params.score_range)})"
        query = f"SELECT count(*) FROM {chosen}{asked}"
    counted = cursor.execute(query).fetchone()
    return int(counted[0]) if counted else 0


def _order(params: PageParams) -> str:
    way = "DESC" if params.descending else "ASC"
    keys = {"score": f"score {way}", "path": f'path {way}, "start" {way}', "row": f"row {way}"}
    return f"{keys[params.sort]}, row, class"


def _names(table: OpenTable, files: tuple[str, ...], token: CancelToken) -> str:
    """What the table itself calls the recordings that a client knows by where they are now."""
    wanted = set(files)
    names = [name for name, now in table.names_and_places(token) if now in wanted or name in wanted]
    return ", ".join(map(literal, names)) or "NULL"


def _row(table: OpenTable, row: _Row) -> ScoreRow:
    number, position, score, name, start, end = row
    return ScoreRow(
        row=number,
        path=path_to_wire(table.recordings.find(name)),
        start_seconds=start,
        end_seconds=end,
        class_=table.stored.content.classes[position].name,
        score=score,
    )
