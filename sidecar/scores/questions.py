"""What is asked of a table, as SQL.

What lives here: the relation of one class's scores, which dense and sparse tables offer alike, and the
conditions on it. What must not: which detections are chosen (sampling.py).

Absent scores and NaN are in no answer.
"""

from __future__ import annotations

import math

from rpc.errors import InvalidParams
from sidecar.scores.session import OpenTable


def scores_of(table: OpenTable, position: int) -> str:
    """A query for every score of a class: row, clip, score. Clips are looked up later, for few rows."""
    schema = table.stored.schema
    if table.stored.content.layout == "dense":
        column = f"s{position}"
        return f"SELECT row, row AS clip, {column} AS score FROM {schema}.clips WHERE NOT isnan({column})"
    return f"SELECT row, clip, score FROM {schema}.scores WHERE class = {position} AND NOT isnan(score)"


def clips_of(table: OpenTable) -> str:
    """A query for all clips: clip, path, start, end."""
    number = "row" if table.stored.content.layout == "dense" else "clip"
    return f'SELECT {number} AS clip, path, "start", "end" FROM {table.stored.schema}.clips'


def within(score_range: tuple[float, float] | None, path: str = "$.scoreRange") -> str:
    """The condition that a score lies in a range, both ends included.

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
    return f"score BETWEEN {_number(low)} AND {_number(high)}"


def _number(value: float) -> str:
    """A DOUBLE in SQL, bit for bit."""
    return f"CAST('{value!r}' AS DOUBLE)"
