"""A table, or a part of it, written for other programs.

What lives here: which rows are written, and under which recordings. What must not: how a format writes them
(survey/tables), turning scores into columns (wide.py).
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np

from rpc.cancel import CancelToken
from rpc.errors import FileMissing
from schemas.scores import Exported, ExportParams
from sidecar.scores.moved import is_windows
from sidecar.scores.relations import asked, bounds_sql, clips_sql, scores_sql, within
from sidecar.scores.session import OpenTable
from sidecar.scores.wide import write_wide
from survey.paths import path_from_wire, path_to_wire
from survey.tables import audacity, birdnet, kaleidoscope, raven, sparse

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
    ScoresNotFound, InvalidParams, FileMissing, DiskFull, OutOfMemory, PermissionRefused, RequestCancelled
    """
    path = path_from_wire(params.path)
    if not path.parent.is_dir():
        raise FileMissing(f"There is no folder {path.parent} to write to.", path=path.parent)
    position = None if params.class_ is None else table.position(params.class_)
    within(params.score_range)
    places = list(zip(table.names(), table.places_now(token), strict=True))
    with asked(table, token, position) as cursor:
        _add_places(cursor, places)
        if params.format == "csv":
            count = write_wide(cursor, table, position, params, path, token)
        else:
            _add_rows(cursor, table, _chosen(table, position, params))
            count = _WRITERS[params.format](cursor, path, overwrite=params.overwrite)
    return Exported(path=path_to_wire(path), row_count=count)


def _chosen(table: OpenTable, position: int | None, params: ExportParams) -> str:
    """A relation of scores. NaN is an absent score to the programs that read text, and in no range."""
    nan = params.format == "parquet" and params.score_range is None
    return f"({scores_sql(table, position, nan=nan)} AND {within(params.score_range)})"


def _add_places(cursor: duckdb.DuckDBPyConnection, places: list[tuple[str, str]]) -> None:
    """Make a view of recordings: their name in the table, their path now, and its parts."""
    parts = [_parts(now) for _, now in places]
    texts = {
        "named": [name for name, _ in places],
        "path": [now for _, now in places],
        "parent": [parent for parent, _, _ in parts],
        "folder": [folder for _, folder, _ in parts],
        "file": [file for _, _, file in parts],
    }
    cursor.register("export_places", {name: np.array(column, dtype=object) for name, column in texts.items()})


def _parts(place: str) -> tuple[str, str, str]:
    """What is above the folder of a recording, its folder, and its name; it may be a path of Windows, or a URI."""
    separator = "\\" if is_windows(place) else "/"
    above, _, file = place.rpartition(separator)
    parent, _, folder = above.rpartition(separator)
    return parent or ("/" if place.startswith("/") else ""), folder, file


def _add_rows(cursor: duckdb.DuckDBPyConnection, table: OpenTable, chosen: str) -> None:
    """Make the view `export_rows` that formats write from (survey/tables/writing.py)."""
    names = [summary.name for summary in table.stored.content.classes]
    commons = list(table.stored.kept.document.commons) or [None] * len(names)
    cursor.execute("CREATE OR REPLACE TEMP TABLE export_labels (class INTEGER, name VARCHAR, common VARCHAR)")
    cursor.execute(
        "INSERT INTO export_labels SELECT generate_subscripts($1, 1) - 1, unnest($1), unnest($2::VARCHAR[])",
        [names, commons],
    )
    bounds, extra = "NULL::DOUBLE AS low, NULL::DOUBLE AS high", ""
    if table.stored.kept.document.bounded:
        bounds, extra = "low, high", f"LEFT JOIN ({bounds_sql()}) USING (row, class)"
    cursor.execute(
        "CREATE OR REPLACE TEMP VIEW export_rows AS "
        'SELECT row, places.path, parent, folder, file, start, "end", labels.name, labels.common, score, '
        f"{bounds} FROM {chosen} JOIN ({clips_sql(table)}) AS clips USING (clip) "
        "JOIN export_labels AS labels USING (class) "
        f"JOIN export_places AS places ON clips.path = places.named {extra}"
    )
