"""Raven selection tables that people made: times and frequency bounds of calls, and a label column of their own.

    Selection  View  Channel  Begin Time (s)  End Time (s)  Low Freq (Hz)  High Freq (Hz)  Species  distance

What lives here: what their columns mean, writing them. What must not: those that BirdNET writes (birdnet.py).

Which column holds the labels is up to the user; the usual names come first, then the first column of words that
Raven itself does not write. Annotations have no scores: 1.0. Begin Path and Begin File may be absent: then the
recording is the one that the table is called after. A call that is selected in two views counts once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from survey.tables.meaning import Columns, Meaning, constant, first_of
from survey.tables.recording_names import recording_of
from survey.tables.sources import Source
from survey.tables.writing import refuse_texts, write_lines, written

_USUAL = ("annotation", "annotations", "species", "label", "class", "call", "call type", "sound type", "tag")
_RAVENS_OWN = {
    "selection", "view", "channel", "begin time (s)", "end time (s)", "low freq (hz)", "high freq (hz)",
    "begin path", "begin file", "end path", "end file", "file offset (s)", "begin date", "begin clock time",
    "begin date time", "end date", "end clock time", "delta time (s)", "delta freq (hz)", "notes", "",
}  # fmt: skip
_BEGIN, _END, _OFFSET = "begin time (s)", "end time (s)", "file offset (s)"
_LOW, _HIGH = "low freq (hz)", "high freq (hz)"


def recognise(source: Source) -> Meaning | None:
    """The meaning of a selection table; None when it is none, or has no labels."""
    columns = Columns(source.columns)
    label = _label_column(source, columns)
    if not columns.has("selection", _BEGIN, _END) or label is None:
        return None
    start = first_of(columns.number(_OFFSET), columns.number(_BEGIN))
    return Meaning(
        format="raven",
        path=first_of(columns.text("begin path"), columns.text("begin file"), constant(recording_of(source.path))),
        start=start,
        end=f"round({start} + {columns.number(_END)} - {columns.number(_BEGIN)}, 9)",
        name=f"nullif(trim(c{label}), '')",
        score=columns.number("score", "confidence") if columns.position("score", "confidence") is not None else "1.0",
        low=columns.number(_LOW),
        high=columns.number(_HIGH),
        numbers=columns.numbers(_BEGIN, _END, _OFFSET, _LOW, _HIGH, "score", "confidence"),
        keep=_once_per_selection(source, columns),
    )


def _label_column(source: Source, columns: Columns) -> int | None:
    usual = columns.position(*_USUAL)
    if usual is not None:
        return usual
    own = (index for index, name in enumerate(source.columns) if name.lower() not in _RAVENS_OWN)
    return next((index for index in own if not source.is_number(index)), None)


def _once_per_selection(source: Source, columns: Columns) -> str:
    """Raven lists a selection once for the waveform and once for the spectrogram, with the same number."""
    view = columns.position("view")
    if view is None:
        return "TRUE"
    views = {row[view].split(" ")[0] for row in source.sample if view < len(row)}
    return f"c{view} NOT LIKE 'Waveform%'" if {"Waveform", "Spectrogram"} <= views else "TRUE"


_HEADER = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
    "File Offset (s)", "Begin Path", "Annotation", "Score",
)  # fmt: skip


def write(cursor: duckdb.DuckDBPyConnection, path: Path, *, overwrite: bool) -> int:
    """Write one selection table; how many selections.

    NOTE: times, Begin Time too, count from the start of each recording, which Begin Path names. Raven would have
    them cumulative over its open files, whose order and lengths a table of scores does not know.

    Raises
    ------
    RequestFailed
        A name holds a tab or a line break, begins or ends with a space, or begins with a quote, which pandas (and so
        OpenSoundscape) takes for the beginning of a quoted text: the format cannot carry it.
    """
    why = "cannot stand in a selection table: a tab, a line break, a space at an end, or a quote at the beginning."
    for column in ("name", "path"):
        odd = f"regexp_matches({column}, '[\\t\\r\\n]|^\"') OR {column} <> trim({column})"
        refuse_texts(cursor, column, odd, why)
    query = (
        'SELECT row_number() OVER (ORDER BY row, name), "start", "end", low, high, path, name, score '
        "FROM export_rows ORDER BY row, name"
    )
    with written(path, overwrite=overwrite) as aside:
        return write_lines(cursor, query, _line, aside, "\t".join(_HEADER) + "\n")


def _line(row: tuple[Any, ...]) -> str:
    selection, start, end, low, high, path, name, score = row
    bounds = ["" if bound is None else repr(bound) for bound in (low, high)]
    cells = [selection, "Spectrogram 1", 1, repr(start), repr(end), *bounds, repr(start), path, name, repr(score)]
    return "\t".join(map(str, cells)) + "\n"
