"""The rows of a long table, read back from its columns."""

from __future__ import annotations

import math

import numpy as np

from survey.tables.columns import Column
from survey.tables.store import StoredTable

Row = tuple[str, float, float, str, float]
Known = tuple[str | None, str | None, float | None, float | None]


def long_rows(table: StoredTable) -> list[tuple[int, Row, Known]]:
    """Every score in the order of the source: its row; path, start, end, class, score; common, code, low, high."""
    kept, document = table.kept, table.kept.document
    scores, clips = kept.scores, kept.clips
    assert scores is not None
    found: list[tuple[int, Row, Known]] = []
    for place in range(len(scores.score)):
        which = int(np.searchsorted(scores.ends, place, "right")) - 1
        clip = int(scores.clip[place])
        times = float(clips.start[clip]), float(clips.end[clip])
        row = (document.files[clips.file[clip]], *times, document.content.classes[which].name)
        bounds = _hertz(scores.low, place), _hertz(scores.high, place)
        known = document.commons[which], document.codes[which], *bounds
        found.append((int(scores.row[place]), (*row, float(scores.score[place])), known))
    return sorted(found, key=lambda one: one[0])


def _hertz(column: Column | None, place: int) -> float | None:
    return None if column is None or math.isnan(column[place]) else float(column[place])
