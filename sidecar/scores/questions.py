"""What is asked of a table, as SQL.

What lives here: the relation of scores, which dense and sparse tables offer alike, and the conditions on it. What
must not: which detections are chosen (sampling.py), counting (histogram.py, summary.py).

Absent scores and NaN are in no answer.
"""

from __future__ import annotations

import math

from rpc.errors import InvalidParams
from sidecar.scores.session import OpenTable


def scores_of(table: OpenTable, position: int | None, *, nan: bool = False) -> str:
    """A query for every score of a class, or of all classes: row, clip, class, score; with `nan`, NaN too.

    Clips are looked up later, for the few rows that are wanted.
    """
    schema, there = table.stored.schema, "{} IS NOT NULL" if nan else "NOT isnan({})"
    if not table.stored.content.wide:
        chosen = "TRUE" if position is None else f"class = {position}"
        return f"SELECT row, clip, class, score FROM {schema}.scores WHERE {chosen} AND {there.format('score')}"
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


def clips_of(table: OpenTable) -> str:
    """A query for all clips: clip, path, start, end."""
    number = "row" if table.stored.content.wide else "clip"
    return f'SELECT {number} AS clip, path, "start", "end" FROM {table.stored.schema}.clips'


def within(score_range: tuple[float, float] | None, path: str = "$.scoreRange", column: str = "score") -> str:
    """The condition that the score in `column` lies in a range, both ends included; `path` is for the error.

    Raises
    ------
    InvalidParams
        The ends are swapped, or no numbers.
    """
    if score_range is None:
        return "TRUE"
    low, high = score_range
    if math.isnan(low) or math.isnan(high) or low > high:
        raise InvalidParams(f"{path}: the lower end ({low:g}) must not be above the upper ({high:g}).")
    return f"{column} BETWEEN {number(low)} AND {number(high)}"


def number(value: float) -> str:
    """A DOUBLE in SQL, bit for bit."""
    return f"CAST('{value!r}' AS DOUBLE)"
