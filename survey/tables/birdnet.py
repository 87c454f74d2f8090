"""BirdNET-Analyzer's tables: CSV, its older form for R, both as Parquet too; and its Raven selection tables.

    Start (s),End (s),Scientific name,Common name,Confidence,File
    3.0,6.0,Setophaga pusilla,Wilson's Warbler,0.87,/data/site1/a.wav

    filepath,start,end,scientific_name,common_name,confidence,lat,lon,week,...

    Selection  Begin Time (s)  End Time (s)  Common Name  Scientific Name  Confidence  File Offset (s)  Begin Path  ...

What lives here: what their columns mean, writing the CSV. What must not: Raven tables that people made (raven.py).

In combined Raven tables, Begin Time is cumulative over the files: the time in the file is File Offset, and the
length is End - Begin.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from survey.tables.meaning import Columns, Meaning, constant, first_of
from survey.tables.recording_names import recording_of
from survey.tables.sources import Source
from survey.tables.writing import copy_csv, written


def recognise(source: Source) -> Meaning | None:
    """The meaning of a table of detections; None when it is none."""
    columns = Columns(source.columns)
    for path, start, end, score in (
        ("file", "start (s)", "end (s)", "confidence"),
        ("filepath", "start", "end", "confidence"),
    ):
        if columns.has(start, end, score) and columns.position("scientific name", "scientific_name") is not None:
            scientific = columns.text("scientific name", "scientific_name")
            common = columns.text("common name", "common_name")
            return Meaning(
                format="birdnet",
                path=_path(columns, path, source.path),
                start=columns.number(start),
                end=columns.number(end),
                name=first_of(scientific, common),
                score=columns.number(score),
                common=common,
                numbers=columns.numbers(start, end, score),
            )
    return None


def recognise_raven(source: Source) -> Meaning | None:
    """The meaning of BirdNET's Raven selection table; None when it is none."""
    columns = Columns(source.columns)
    begin, end, offset = "begin time (s)", "end time (s)", "file offset (s)"
    if not columns.has(begin, end, "common name", "confidence"):
        return None
    low, high = columns.number("low freq (hz)"), columns.number("high freq (hz)")
    start = first_of(columns.number(offset), columns.number(begin))
    common = columns.text("common name")
    return Meaning(
        format="birdnet-raven",
        path=_path(columns, "begin path", source.path),
        start=start,
        # Rounded to microseconds: 66.3 - 63.3 is not 3 in binary.
        end=f"round({start} + {columns.number(end)} - {columns.number(begin)}, 6)",
        name=first_of(columns.text("scientific name"), common),
        score=columns.number("confidence"),
        common=common,
        code=columns.text("species code"),
        low=low,
        high=high,
        numbers=columns.numbers(begin, end, offset, "confidence", "low freq (hz)", "high freq (hz)"),
    )


def _path(columns: Columns, name: str, table: Path) -> str:
    """The recording: named in its column, or else by the table's own name."""
    return first_of(columns.text(name), constant(recording_of(table)))


def write(cursor: duckdb.DuckDBPyConnection, path: Path, *, overwrite: bool) -> int:
    """Write BirdNET-Analyzer's CSV; how many scores. A class without a common name is called by its own there too."""
    names = ("Start (s)", "End (s)", "Scientific name", "Common name", "Confidence", "File")
    query = 'SELECT "start", "end", name, coalesce(common, name), score, path FROM export_rows ORDER BY row, name'
    with written(path, overwrite=overwrite) as aside:
        return copy_csv(cursor, [query], names, aside)
