"""A table, or a part of it, with a column per class: OpenSoundscape's form.

What lives here: the queries for it, from dense and sparse tables. What must not: CSV itself
(survey/tables/opensoundscape.py).

Clips are written some at a time, in their order: sorting two million of them with 500 columns at once would need more
room than the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np

from rpc.cancel import CancelToken
from schemas.scores import ExportParams
from sidecar.scores.relations import clips_sql, scores_sql, within
from sidecar.scores.session import OpenTable
from survey.tables import opensoundscape
from survey.tables.canonical import MAX_WIDE
from survey.tables.writing import refuse_first

_CELLS_AT_ONCE = 10_000_000


def write_wide(
    cursor: duckdb.DuckDBPyConnection,
    table: OpenTable,
    position: int | None,
    params: ExportParams,
    path: Path,
    token: CancelToken,
) -> int:
    """Write a column per class; how many clips. `export_places` is there, as sidecar/scores/export.py makes it.

    With a choice of class or range, clips without a score left are left out.

    Raises
    ------
    RequestFailed
        As survey.tables.opensoundscape.write; or a class has two scores for one clip, which cannot stand in one cell.
    """
    classes = table.stored.content.classes
    positions = range(len(classes)) if position is None else range(position, position + 1)
    if not table.stored.content.wide:
        _refuse_two_in_a_cell(cursor, table, position, params)
    names = [classes[index].name for index in positions]
    shares = _shares(cursor, table, len(positions), token)
    if len(positions) > MAX_WIDE:
        rows = _filled_rows(cursor, table, positions, params, shares)
        return opensoundscape.write_rows(rows, names, path, overwrite=params.overwrite)
    queries = (_rows_between(table, positions, params, these) for these in shares)
    return opensoundscape.write(cursor, queries, names, path, overwrite=params.overwrite)


def _refuse_two_in_a_cell(
    cursor: duckdb.DuckDBPyConnection, table: OpenTable, position: int | None, params: ExportParams
) -> None:
    chosen = f"({scores_sql(table, position, nan=True)} AND {within(params.score_range)})"
    found = cursor.execute(f"SELECT class FROM {chosen} GROUP BY class, clip HAVING count(*) > 1 LIMIT 1").fetchone()
    name = None if found is None else (table.stored.content.classes[found[0]].name,)
    refuse_first(name, "has several scores for one clip, which a table with a column per class cannot hold.")


def _shares(cursor: duckdb.DuckDBPyConnection, table: OpenTable, class_count: int, token: CancelToken) -> Iterator[str]:
    """Conditions that choose some clips each, one after the other all of them."""
    whole = cursor.execute(f"SELECT min(clip), max(clip) FROM ({clips_sql(table)})").fetchone()
    assert whole is not None
    if whole[0] is None:
        return
    first, last = whole
    step = max(1, _CELLS_AT_ONCE // class_count)
    for start in range(first, last + 1, step):
        token.raise_if_cancelled()
        yield f"clip BETWEEN {start} AND {start + step - 1}"


def _filled_rows(
    cursor: duckdb.DuckDBPyConnection, table: OpenTable, positions: range, params: ExportParams, shares: Iterator[str]
) -> Iterator[list[object]]:
    """The rows of a sparse table with thousands of classes, whose columns DuckDB would need a gigabyte for."""
    everything = params.score_range is None
    chosen = f"SELECT clip, class, score FROM ({scores_sql(table, None, nan=True)} AND {within(params.score_range)})"
    for these in shares:
        clips = cursor.execute(
            f'SELECT clip, places.path, start, "end" FROM ({clips_sql(table)}) AS clips '
            f"JOIN export_places AS places ON clips.path = places.named WHERE {these} ORDER BY clip"
        ).fetchall()
        scores = cursor.execute(f"SELECT * FROM ({chosen}) WHERE {these} ORDER BY clip").fetchnumpy()
        for clip, *place in clips:
            first, last = np.searchsorted(scores["clip"], (clip, clip + 1))
            if everything or first < last:
                cells: list[object] = [""] * len(positions)
                for column, score in zip(scores["class"][first:last], scores["score"][first:last], strict=True):
                    cells[column] = float(score)
                yield [*place, *cells]


def _rows_between(table: OpenTable, positions: range, params: ExportParams, these: str) -> str:
    """The rows of some clips: path, start, end, and a column per class."""
    columns = ", ".join(f"s{index}" for index in positions)
    cells = _dense_cells if table.stored.content.wide else _sparse_cells
    everything = params.class_ is None and params.score_range is None
    clips = f"SELECT * FROM ({clips_sql(table)}) WHERE {these}"
    return (
        f'SELECT places.path, "start", "end", {columns} FROM ({clips}) AS clips '
        f"JOIN export_places AS places ON clips.path = places.named "
        f"LEFT JOIN ({cells(table, positions, params, these)}) USING (clip) "
        f"WHERE {'TRUE' if everything else f'coalesce({columns}) IS NOT NULL'} ORDER BY clip"
    )


def _dense_cells(table: OpenTable, positions: Sequence[int], params: ExportParams, these: str) -> str:
    cells = (f"CASE WHEN {within(params.score_range, column=f's{i}')} THEN s{i} END AS s{i}" for i in positions)
    return f"SELECT * FROM (SELECT row AS clip, {', '.join(cells)} FROM {table.stored.schema}.clips) WHERE {these}"


def _sparse_cells(table: OpenTable, positions: range, params: ExportParams, these: str) -> str:
    """NOTE: aggregates with a condition for each class would take time by scores times classes; PIVOT does not."""
    one = positions[0] if len(positions) == 1 else None
    chosen = f"SELECT clip, class, score FROM ({scores_sql(table, one, nan=True)} AND {within(params.score_range)})"
    listed = ", ".join(map(str, positions))
    columns = ", ".join(f'"{index}" AS s{index}' for index in positions)
    return (
        f"SELECT clip, {columns} FROM (SELECT * FROM ({chosen}) WHERE {these}) "
        f"PIVOT (max(score) FOR class IN ({listed}))"
    )
