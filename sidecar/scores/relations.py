"""Scores and clips as relations that SQL selects from: for exports, and for all classes of a dense table.

What lives here: those relations, and the conditions on them. What must not: questions about one class, which need no
SQL (questions.py).

Absent scores and NaN are left out, unless an export asks for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import duckdb
import numpy as np

from rpc.cancel import CancelToken
from sidecar.scores.questions import checked_range
from sidecar.scores.session import OpenTable
from survey.tables.kept import KeptTable


@contextlib.contextmanager
def asked(table: OpenTable, token: CancelToken, position: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor on which the relations of `table` can be asked; of a long table those of one class, if one is given.

    Raises
    ------
    As survey.tables.store.TableStore.cursor.
    """
    with table.store.cursor(token) as cursor:
        if not table.stored.content.wide:
            _register(cursor, table.stored.kept, position)
        yield cursor


def _register(cursor: duckdb.DuckDBPyConnection, kept: KeptTable, position: int | None) -> None:
    """Make views of the columns of a long table, which DuckDB reads where they are."""
    scores, clips = kept.scores, kept.clips
    assert scores is not None
    these = slice(None) if position is None else slice(*scores.ends[position : position + 2])
    score = scores.score[these]
    columns = {
        "class": kept.classes if position is None else np.full(len(score), position, np.int32),
        "clip": scores.clip[these],
        "row": scores.row[these],
        "score": score,
    }
    if scores.low is not None and scores.high is not None:
        columns |= {"low": scores.low[these], "high": scores.high[these]}
    cursor.register("long_scores", columns)
    numbers = np.arange(len(clips.file), dtype=np.uint32)
    cursor.register("long_clips", {"clip": numbers, "file": clips.file, "start": clips.start, "end": clips.end})
    names = kept.document.files
    cursor.register("long_files", {"file": np.arange(len(names)), "path": np.array(names, dtype=object)})


def scores_sql(table: OpenTable, position: int | None, *, nan: bool = False) -> str:
    """A query for every score of a class, or of all classes: row, clip, class, score; with `nan`, NaN too.

    Clips are looked up later, for the few rows that are wanted.
    """
    schema, there = table.stored.schema, "{} IS NOT NULL" if nan else "NOT isnan({})"
    if not table.stored.content.wide:
        return f"SELECT row, clip, class, score FROM long_scores WHERE {there.format('score')}"
    if position is not None:
        column = f"s{position}"
        return (
            f"SELECT row, row AS clip, {position} AS class, {column} AS score FROM {schema}.clips "
            f"WHERE {there.format(column)}"
        )
    count = len(table.stored.content.classes)
    columns = ", ".join(f"s{index}" for index in range(count))
    every = f"SELECT row, unnest(range({count})) AS class, unnest([{columns}]) AS score FROM {schema}.clips"
    return f"SELECT row, row AS clip, class, score FROM ({every}) WHERE {there.format('score')}"


def bounds_sql() -> str:
    """A query for row, class, low, high of the scores of a long table, in Hz; NULL where they are not known."""
    low, high = (f"CASE WHEN NOT isnan({bound}) THEN {bound} END AS {bound}" for bound in ("low", "high"))
    return f"SELECT row, class, {low}, {high} FROM long_scores"


def clips_sql(table: OpenTable) -> str:
    """A query for all clips: clip, path, start, end."""
    if table.stored.content.wide:
        return f'SELECT row AS clip, path, "start", "end" FROM {table.stored.schema}.clips'
    return 'SELECT clip, path, "start", "end" FROM long_clips JOIN long_files USING (file)'


def within(score_range: tuple[float, float] | None, column: str = "score") -> str:
    """The condition that the score in `column` lies in a range, both ends included. Raises InvalidParams."""
    checked = checked_range(score_range)
    if checked is None:
        return "TRUE"
    return f"{column} BETWEEN {number(checked[0])} AND {number(checked[1])}"


def number(value: float) -> str:
    """A DOUBLE in SQL, bit for bit."""
    return f"CAST('{value!r}' AS DOUBLE)"
