"""The first pages of all classes of a dense table.

What lives here: making rows of a few clips alone. What must not: pages further on (every_class.py).

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
from sidecar.scores.relations import asked
from sidecar.scores.session import OpenTable
from sidecar.scores.window import window
from survey.tables.columns import Column

_WORTH_IT = 8


def leading_page(table: OpenTable, params: PageParams, token: CancelToken) -> tuple[Scores, int] | None:
    """The scores of a page, and how many there are in all; None where this way is no help.

    It is none for long tables, with a range or a choice of recordings, and far from the beginning.

    Raises
    ------
    RequestCancelled
    """
    content, last = table.stored.content, params.offset + params.limit
    chosen = params.score_range is not None or params.files is not None
    if not content.wide or chosen or last * _WORTH_IT > content.clip_count:
        return None
    columns = ", ".join(f"s{index}" for index in range(len(content.classes)))
    with asked(table, token) as cursor:
        cursor.register("leading_clips", {"row": _leading_rows(cursor, table, params, last)})
        query = f"SELECT row, {columns} FROM {table.stored.schema}.clips SEMI JOIN leading_clips USING (row)"
        found = cursor.execute(query).fetchnumpy()
    cells = np.stack([np.ma.filled(found[f"s{index}"], np.nan) for index in range(len(content.classes))], axis=1)
    place, classes = np.nonzero(~np.isnan(cells))
    rows = found["row"][place]
    clips, known = table.clips_by_row()
    scores = Scores(cells[place, classes], clips[np.searchsorted(known, rows)], rows, classes)
    keys = (*_keys(table, params, scores), scores.row, classes)
    shown = scores.take(window(keys, params.offset, last))
    return shown, sum(summary.count for summary in content.classes)


def _keys(table: OpenTable, params: PageParams, scores: Scores) -> tuple[Column, ...]:
    sign = -1 if params.descending else 1
    if params.sort == "score":
        return (sign * scores.score,)
    if params.sort == "row":
        return (sign * scores.row,)
    clips = table.stored.kept.clips
    return sign * table.file_ranks()[clips.file[scores.clip]], sign * clips.start[scores.clip]


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
