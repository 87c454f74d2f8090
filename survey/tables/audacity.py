r"""Audacity's labels: times and a text, without a header and without the recording's name.

    3.0 <tab> 6.0 <tab> Setophaga pusilla_Wilson's Warbler <tab> 0.87
    \ <tab> 1200.0 <tab> 8000.0

What lives here: recognising, reading and writing that form. What must not: anything else.

The recording is the one that the table is called after. The score may be absent (1.0), or stand in the label as
`Wilson's Warbler 87%`. A line that starts with a backslash gives the frequency bounds of the label above it.
BirdNET writes both names of a species into the label, with an underscore between.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import duckdb

from survey.tables.meaning import Meaning, constant
from survey.tables.recording_names import recording_of
from survey.tables.sniff import TextTable
from survey.tables.sources import TextSource
from survey.tables.writing import open_text, refuse_first, refuse_texts, rows_of, written_together

_NUMBER = re.compile(r"\s*-?\d+([.,]\d+)?([eE][-+]?\d+)?\s*")
_BINOMIAL = "^[A-Z][a-z-]+ [a-z-]+( [a-z-]+)?_."
_UNKNOWN_HERTZ = -1.0
"""What Audacity writes for the bound of a label that has only one."""

_PERCENT = r"^(.*?)\s*\(?(\d+(\.\d+)?)\s*%\)?\s*$"


def is_labels(table: TextTable) -> bool:
    """Whether the first row holds two times and a label, with tabs between."""
    first = table.columns
    return table.delimiter == "\t" and len(first) >= 2 and all(_NUMBER.fullmatch(cell) for cell in first[:2])


def meaning_of(source: TextSource) -> Meaning:
    """What the rows mean. All columns are words, because frequency lines are no rows of their own."""
    label, percent = "c2", f"regexp_extract(c2, '{_PERCENT}', 2)"
    named = f"CASE WHEN {percent} <> '' AND c3 IS NULL THEN regexp_extract(c2, '{_PERCENT}', 1) ELSE {label} END"
    both = f"regexp_matches({named}, '{_BINOMIAL}')"
    split = f"strpos({named}, '_')"
    low, high = (_bound(source, cell) for cell in ("c1", "c2"))
    return Meaning(
        format="audacity",
        path=constant(recording_of(source.path)),
        start=_number(source, "c0"),
        end=_number(source, "c1"),
        name=f"nullif(CASE WHEN {both} THEN left({named}, {split} - 1) ELSE {named} END, '')",
        score=f"coalesce({_number(source, 'c3')}, TRY_CAST({percent} AS DOUBLE) / 100, 1.0)",
        common=f"CASE WHEN {both} THEN substr({named}, {split} + 1) END",
        low=low,
        high=high,
        numbers=frozenset(),
        keep="c0 <> '\\'",
    )


def _number(source: TextSource, cell: str) -> str:
    text = cell if source.table.decimal == "." else f"replace({cell}, ',', '.')"
    return f"TRY_CAST({text} AS DOUBLE)"


def _bound(source: TextSource, cell: str) -> str:
    """SQL for a bound in the line below; Audacity writes -1 where it knows only the other."""
    hertz = _number(source, f"lead({cell}) OVER following")
    return f"CASE WHEN lead(c0) OVER following = '\\' AND {hertz} >= 0 THEN {hertz} END"


def write(cursor: duckdb.DuckDBPyConnection, folder: Path, *, overwrite: bool) -> int:
    """Write a label file for each recording into `folder`, called like the recording; how many labels.

    Raises
    ------
    RequestFailed
        Two recordings have the same name, or a name is one that labels or their files cannot carry.
    """
    _refuse_odd(cursor)
    files = [row[0] for row in cursor.execute("SELECT DISTINCT file FROM export_rows ORDER BY file").fetchall()]
    binomial = f"regexp_matches(concat(name, '_', common), '{_BINOMIAL}')"
    query = (
        f'SELECT file, "start", "end", CASE WHEN common IS NOT NULL AND {binomial} THEN concat(name, \'_\', common) '
        'ELSE name END, score, low, high FROM export_rows ORDER BY file, "start", row, name'
    )
    count = 0
    with written_together(folder, [f"{file}.txt" for file in files], overwrite=overwrite) as asides:
        for file, rows in itertools.groupby(rows_of(cursor, query), key=lambda row: row[0]):
            with open_text(asides[f"{file}.txt"]) as labels:
                for row in rows:
                    labels.write(_line(row))
                    count += 1
    return count


def _refuse_odd(cursor: duckdb.DuckDBPyConnection) -> None:
    why = "cannot stand in a label: it has a tab or a line break, or an underscore where BirdNET's labels have one."
    refuse_texts(cursor, "name", f"regexp_matches(name, '[\\t\\r\\n]') OR regexp_matches(name, '{_BINOMIAL}')", why)
    refuse_texts(cursor, "path", "path LIKE 'file://%'", "cannot give a label file its name: it is no valid text.")
    # Upper and lower case make one file on Windows and macOS.
    twice = "SELECT min(file) FROM export_rows GROUP BY lower(file) HAVING count(DISTINCT path) > 1 LIMIT 1"
    refuse_first(cursor.execute(twice).fetchone(), "is the name of several recordings, whose label files would be one.")


def _line(row: tuple[Any, ...]) -> str:
    _, start, end, label, score, low, high = row
    low, high = (_UNKNOWN_HERTZ if bound is None else bound for bound in (low, high))
    bounds = f"\\\t{low!r}\t{high!r}\n" if max(low, high) >= 0 else ""
    return f"{start!r}\t{end!r}\t{label}\t{score!r}\n{bounds}"
