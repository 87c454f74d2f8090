"""Pages of all classes of a dense table.

What lives here: the query for them, and how to make rows of a few clips alone. What must not: long tables
(every_class.py).

Of the first K scores by any order, each lies in one of the first K clips by their own first score. The highest and
lowest score of every clip are found at the first such question and kept while the table is open; then a page near the
beginning unpacks the cells of K clips alone.
"""

from __future__ import annotations

import duckdb
import numpy as np

from rpc.cancel import CancelToken
from schemas.scores import PageParams
from sidecar.scores.questions import Scores
from sidecar.scores.relations import asked, clips_sql, scores_sql, within
from sidecar.scores.session import OpenTable
from sidecar.scores.window import window
from survey.tables.columns import Column

_WORTH_IT = 8


def dense_page(table: OpenTable, params: PageParams, files: Column | None, token: CancelToken) -> tuple[Scores, int]:
    """The scores of a page, and how many there are in all; `files` tells of every recording whether it is chosen.

    Raises
    ------
    RequestCancelled
    """
    with asked(table, token) as cursor:
        _add_files(cursor, table, files)
        chosen = f"({scores_sql(table, None)} AND {within(params.score_range)})"
        if files is not None:
            chosen = f"(SELECT * FROM {chosen} SEMI JOIN chosen_clips USING (clip))"
        leading = _scores_of_leading(cursor, table, params)
        total = _total(cursor, table, params)
        query = _query(table, params, chosen if leading is None else f"({leading})")
        found = cursor.execute(query).fetchnumpy()
    kept_rows = table.stored.kept.clips.row
    assert kept_rows is not None
    order = table.clips_by_row()
    clip = order[np.searchsorted(kept_rows[order], found["row"])]
    return Scores(found["score"], clip, found["row"], found["class"]), total


def _add_files(cursor: duckdb.DuckDBPyConnection, table: OpenTable, files: Column | None) -> None:
    """Make the view `chosen_clips` of the clips of some recordings."""
    clips = table.stored.kept.clips
    if files is not None and clips.row is not None:
        cursor.register("chosen_clips", {"clip": clips.row[files[clips.file]].astype(np.int64)})


def _query(table: OpenTable, params: PageParams, chosen: str) -> str:
    order = _order(params)
    columns = "row, class, score"
    limit = f"LIMIT {params.limit} OFFSET {params.offset}"
    if params.sort == "path":
        return f"SELECT {columns} FROM {chosen} JOIN ({clips_sql(table)}) USING (clip) ORDER BY {order} {limit}"
    return f"SELECT {columns} FROM {chosen} ORDER BY {order} {limit}"


def _order(params: PageParams) -> str:
    way = "DESC" if params.descending else "ASC"
    keys = {"score": f"score {way}", "path": f'path {way}, "start" {way}', "row": f"row {way}"}
    return f"{keys[params.sort]}, row, class"


def _total(cursor: duckdb.DuckDBPyConnection, table: OpenTable, params: PageParams) -> int:
    """How many scores fit."""
    classes = table.stored.content.classes
    if params.score_range is None and params.files is None:
        return sum(summary.count for summary in classes)
    only = "" if params.files is None else "SEMI JOIN chosen_clips ON chosen_clips.clip = clips.row"
    counted = " UNION ALL ".join(
        f"SELECT count(*) AS cells FROM {table.stored.schema}.clips {only} "
        f"WHERE NOT isnan({column}) AND {within(params.score_range, column=column)}"
        for column in (f"s{index}" for index in range(len(classes)))
    )
    found = cursor.execute(f"SELECT sum(cells) FROM ({counted})").fetchone()
    return int(found[0]) if found else 0


def _scores_of_leading(cursor: duckdb.DuckDBPyConnection, table: OpenTable, params: PageParams) -> str | None:
    """A query for row, clip, class, score of the clips that decide the page; None where that is no help.

    It is none with a range or a choice of recordings, and far from the beginning.
    """
    content = table.stored.content
    wanted = params.offset + params.limit
    if params.score_range is not None or params.files is not None or wanted * _WORTH_IT > content.clip_count:
        return None
    cursor.register("leading_clips", {"row": _leading_rows(cursor, table, params, wanted)})
    count = len(content.classes)
    columns = ", ".join(f"s{index}" for index in range(count))
    every = (
        f"SELECT row, unnest(range({count})) AS class, unnest([{columns}]) AS score "
        f"FROM {table.stored.schema}.clips SEMI JOIN leading_clips USING (row)"
    )
    return f"SELECT row, row AS clip, class, score FROM ({every}) WHERE NOT isnan(score)"


def _leading_rows(cursor: duckdb.DuckDBPyConnection, table: OpenTable, params: PageParams, wanted: int) -> Column:
    """The rows of the first clips that have any score, in the order of the page."""
    clips, (high, low) = table.stored.kept.clips, table.remembered("ends", lambda: _ends(cursor, table))
    assert clips.row is not None
    rows = clips.row.astype(np.int64)
    sign = -1 if params.descending else 1
    keys = {
        "score": (-high if params.descending else low, rows),
        "path": (sign * table.file_ranks()[clips.file], sign * clips.start, rows),
        "row": (sign * rows,),
    }
    scored = np.flatnonzero(~np.isnan(high))
    return rows[scored[window(tuple(key[scored] for key in keys[params.sort]), 0, wanted)]]


def _ends(cursor: duckdb.DuckDBPyConnection, table: OpenTable) -> tuple[Column, Column]:
    """The highest and the lowest score of every clip, NaN where it has none."""
    classes = table.stored.content.classes
    complete = all(summary.count == table.stored.content.clip_count for summary in classes)
    # NaN is greater than all else; without any, asking for it would take three times as long.
    cells = (f"s{i}" if complete else f"CASE WHEN NOT isnan(s{i}) THEN s{i} END" for i in range(len(classes)))
    listed = ", ".join(cells)
    query = f"SELECT greatest({listed}) AS high, least({listed}) AS low FROM {table.stored.schema}.clips"
    found = cursor.execute(query).fetchnumpy()
    return np.ma.filled(found["high"], np.nan), np.ma.filled(found["low"], np.nan)
