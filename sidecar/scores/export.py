"""A table, or a part of it, written for other programs.

What lives here: which rows are written, and under which recordings. What must not: how a format writes them
(survey/tables).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

from rpc.cancel import CancelToken
from rpc.errors import FileMissing
from schemas.scores import Exported, ExportParams
from sidecar.scores.questions import clips_of, scores_of, within
from sidecar.scores.session import OpenTable
from survey.paths import path_from_wire, path_to_wire
from survey.tables import audacity, birdnet, kaleidoscope, opensoundscape, raven, sparse
from survey.tables.writing import refuse_first

_WRITERS: dict[str, Callable[..., int]] = {
    "parquet": sparse.write,
    "birdnet": birdnet.write,
    "kaleidoscope": kaleidoscope.write,
    "raven": raven.write,
    "audacity": audacity.write,
}


def export_table(table: OpenTable, params: ExportParams, token: CancelToken) -> Exported:
    """Write what `params` asks for.

    Raises
    ------
    RequestFailed
        The file exists already, or the format cannot carry a name.
    ScoresNotFound, InvalidParams, FileMissing, DiskFull, PermissionRefused, RequestCancelled
    """
    path = path_from_wire(params.path)
    if not path.parent.is_dir():
        raise FileMissing(f"There is no folder {path.parent} to write to.", path=path.parent)
    position = None if params.class_ is None else table.position(params.class_)
    condition = within(params.score_range)
    places = list(table.names_and_places(token))
    with table.store.cursor(token) as cursor:
        _add_places(cursor, places)
        if params.format == "csv":
            count = _write_wide(cursor, table, position, params, path)
        else:
            _add_rows(cursor, table, f"({scores_of(table, position)} AND {condition})")
            count = _WRITERS[params.format](cursor, path, overwrite=params.overwrite)
    return Exported(path=path_to_wire(path), row_count=count)


def _add_places(cursor: duckdb.DuckDBPyConnection, places: list[tuple[str, str]]) -> None:
    """Make a view of recordings: their name in the table, their path now, and its parts."""
    paths = [Path(now) for _, now in places]
    texts = {
        "named": [name for name, _ in places],
        "path": [now for _, now in places],
        "parent": [str(path.parent.parent) for path in paths],
        "folder": [path.parent.name for path in paths],
        "file": [path.name for path in paths],
    }
    cursor.register("export_places", {name: np.array(column, dtype=object) for name, column in texts.items()})


def _add_rows(cursor: duckdb.DuckDBPyConnection, table: OpenTable, chosen: str) -> None:
    """Make the view `export_rows` that formats write from (survey/tables/writing.py)."""
    schema = table.stored.schema
    if not table.stored.content.wide:
        labels, bounds = f"{schema}.labels", f"(SELECT row, class, low, high FROM {schema}.scores)"
        extra = f"LEFT JOIN {bounds} USING (row, class)"
    else:
        names = [summary.name for summary in table.stored.content.classes]
        cursor.execute("CREATE OR REPLACE TEMP TABLE export_labels (class INTEGER, name VARCHAR, common VARCHAR)")
        cursor.execute("INSERT INTO export_labels SELECT generate_subscripts($1, 1) - 1, unnest($1), NULL", [names])
        labels, extra = "export_labels", "CROSS JOIN (SELECT NULL::DOUBLE AS low, NULL::DOUBLE AS high)"
    cursor.execute(
        "CREATE OR REPLACE TEMP VIEW export_rows AS "
        'SELECT row, places.path, parent, folder, file, start, "end", labels.name, labels.common, score, low, high '
        f"FROM {chosen} JOIN ({clips_of(table)}) AS clips USING (clip) JOIN {labels} AS labels USING (class) "
        f"JOIN export_places AS places ON clips.path = places.named {extra}"
    )


def _write_wide(
    cursor: duckdb.DuckDBPyConnection, table: OpenTable, position: int | None, params: ExportParams, path: Path
) -> int:
    """Write a column per class. With a choice of class or range, clips without a score left are left out."""
    content = table.stored.content
    positions = range(len(content.classes)) if position is None else range(position, position + 1)
    if content.wide:
        cells = (f"CASE WHEN {within(params.score_range, column=f's{i}')} THEN s{i} END AS s{i}" for i in positions)
        scores = f"(SELECT row AS clip, {', '.join(cells)} FROM {table.stored.schema}.clips)"
    else:
        scores = _pivoted(cursor, table, positions, f"({scores_of(table, position)} AND {within(params.score_range)})")
    columns = ", ".join(f"s{index}" for index in positions)
    everything = position is None and params.score_range is None
    query = (
        f'SELECT places.path, "start", "end", {columns} FROM ({clips_of(table)}) AS clips '
        f"JOIN export_places AS places ON clips.path = places.named LEFT JOIN {scores} USING (clip) "
        f"WHERE {'TRUE' if everything else f'coalesce({columns}) IS NOT NULL'} ORDER BY clip"
    )
    names = [content.classes[index].name for index in positions]
    return opensoundscape.write(cursor, query, names, path, overwrite=params.overwrite)


def _pivoted(cursor: duckdb.DuckDBPyConnection, table: OpenTable, positions: range, chosen: str) -> str:
    """A row per clip of a sparse table. Two scores of one class for one clip cannot stand in one cell."""
    twice = f"SELECT class FROM {chosen} GROUP BY class, clip HAVING count(*) > 1 LIMIT 1"
    found = cursor.execute(twice).fetchone()
    name = None if found is None else (table.stored.content.classes[found[0]].name,)
    refuse_first(name, "has several scores for one clip, which a table with a column per class cannot hold.")
    cells = ", ".join(f"max(score) FILTER (class = {index}) AS s{index}" for index in positions)
    return f"(SELECT clip, {cells} FROM {chosen} GROUP BY clip)"
