"""Kaleidoscope's tables, and those that BirdNET-Analyzer writes for it.

    OFFSET,confidence,INDIR,FOLDER,IN FILE,DURATION,TOP1MATCH
    INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence,...
    ...,TOP1MATCH,TOP1DIST

What lives here: what their columns mean, writing the first of them. What must not: anything else.

The recording is INDIR/FOLDER/IN FILE, a detection runs from OFFSET for DURATION seconds. Kaleidoscope itself gives a
distance, which is better the smaller it is: its score is the distance with a minus, so that the best comes first.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from survey.tables.meaning import Columns, Meaning, first_of
from survey.tables.sources import Source
from survey.tables.writing import copy_csv, written


def recognise(source: Source) -> Meaning | None:
    """The meaning of a Kaleidoscope table; None when it is none."""
    columns = Columns(source.columns)
    if not columns.has("in file", "offset") or columns.position("top1match", "scientific_name", "manual id") is None:
        return None
    parts = [columns.text(name) for name in ("indir", "folder", "in file")]
    known = columns.position("confidence") is not None
    distance = columns.position("top1dist") is not None
    start = columns.number("offset")
    return Meaning(
        format="kaleidoscope",
        # INDIR may end with a slash; the two of file:// are not one too many.
        path=f"regexp_replace(concat_ws('/', {', '.join(parts)}), '(^|[^:/])//+', '\\1/', 'g')",
        start=start,
        end=f"round({start} + {first_of(columns.number('duration'), '0')}, 9)",
        name=first_of(columns.text("scientific_name"), columns.text("top1match"), columns.text("manual id")),
        score=columns.number("confidence") if known else f"-{columns.number('top1dist')}" if distance else "1.0",
        common=columns.text("common_name"),
        numbers=columns.numbers("offset", "duration", "confidence", "top1dist"),
        note=None if known or not distance else "Scores are TOP1DIST with a minus: the nearest match is the highest.",
    )


def write(cursor: duckdb.DuckDBPyConnection, path: Path, *, overwrite: bool) -> int:
    """Write the table that BirdNET-Analyzer writes for Kaleidoscope; how many scores. Times are to the nanosecond."""
    names = ("OFFSET", "confidence", "INDIR", "FOLDER", "IN FILE", "DURATION", "TOP1MATCH")
    columns = '"start", score, parent, folder, file, round("end" - "start", 9), name'
    query = f"SELECT {columns} FROM export_rows ORDER BY row, name"
    with written(path, overwrite=overwrite) as aside:
        return copy_csv(cursor, [query], names, aside)
