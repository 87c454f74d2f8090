"""The first rows of all classes of a dense table, without making a row of every cell.

What lives here: which clips can hold those rows, and counting cells. What must not: the page itself (page.py).

Of the first K scores by any order, each lies in one of the first K clips by their own first score. The highest and
lowest score of every clip are found at the first such question and kept while the table is open; then a page near the
beginning unpacks the cells of K clips alone.
"""

from __future__ import annotations

import threading

import duckdb

from schemas.scores import PageParams
from sidecar.scores.questions import within
from sidecar.scores.session import OpenTable
from survey.tables.store import memory_of

_WORTH_IT = 8
_making = threading.Lock()


def scores_of_leading(cursor: duckdb.DuckDBPyConnection, table: OpenTable, params: PageParams) -> str | None:
    """A query for row, clip, class, score of the clips that decide the page; None where that is no help.

    It is none for sparse tables, one class, a range or a choice of recordings, and far from the beginning.
    """
    content = table.stored.content
    wanted = params.offset + params.limit
    chosen = params.class_ is not None or params.score_range is not None or params.files is not None
    if not content.wide or chosen or wanted * _WORTH_IT > content.clip_count:
        return None
    leading = f"SELECT row FROM {_ends(cursor, table)} ORDER BY {_order(params)}, row LIMIT {wanted}"
    count = len(content.classes)
    columns = ", ".join(f"s{index}" for index in range(count))
    clips = f"{table.stored.schema}.clips"
    every = (
        f"SELECT row, unnest(range({count})) AS class, unnest([{columns}]) AS score "
        f"FROM {clips} SEMI JOIN ({leading}) USING (row)"
    )
    return f"SELECT row, row AS clip, class, score FROM ({every}) WHERE NOT isnan(score)"


def _ends(cursor: duckdb.DuckDBPyConnection, table: OpenTable) -> str:
    """The kept table of row, path, start, and the highest and lowest score of each clip that has any."""
    kept, classes = memory_of(table.stored), table.stored.content.classes
    complete = all(summary.count == table.stored.content.clip_count for summary in classes)
    # NaN is greater than all else; without any, asking for it would take three times as long.
    cells = (f"s{i}" if complete else f"CASE WHEN NOT isnan(s{i}) THEN s{i} END" for i in range(len(classes)))
    listed = ", ".join(cells)
    query = (
        f'CREATE TABLE IF NOT EXISTS {kept} AS SELECT row, path, "start", high, low FROM (SELECT row, path, "start", '
        f"greatest({listed}) AS high, least({listed}) AS low FROM {table.stored.schema}.clips) WHERE high IS NOT NULL"
    )
    with _making:
        cursor.execute(query)
    return kept


def _order(params: PageParams) -> str:
    way = "DESC" if params.descending else "ASC"
    score = "high" if params.descending else "low"
    return {"score": f"{score} {way}", "path": f'path {way}, "start" {way}', "row": f"row {way}"}[params.sort]


def count_cells(table: OpenTable, params: PageParams, clips: str) -> str:
    """A query for the number of scores of a dense table within the range, in the clips that are asked about."""
    columns = [f"s{index}" for index in range(len(table.stored.content.classes))]
    asked = "" if params.files is None else f"SEMI JOIN {clips} AS asked ON asked.clip = clips.row"
    counted = " UNION ALL ".join(
        f"SELECT count(*) AS cells FROM {table.stored.schema}.clips {asked} "
        f"WHERE NOT isnan({column}) AND {within(params.score_range, column=column)}"
        for column in columns
    )
    return f"SELECT sum(cells) FROM ({counted})"
