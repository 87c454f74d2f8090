r"""Audacity's labels: times and a text, without a header and without the recording's name.

    3.0 <tab> 6.0 <tab> Setophaga pusilla_Wilson's Warbler <tab> 0.87
    \ <tab> 1200.0 <tab> 8000.0

What lives here: recognising, reading and writing that form. What must not: anything else.

The recording is the one that the table is called after. The score may be absent (1.0), or stand in the label as
`Wilson's Warbler 87%`. A line that starts with a backslash gives the frequency bounds of the label above it.
BirdNET writes both names of a species into the label, with an underscore between.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb

from rpc.errors import from_os_error
from survey.database import literal
from survey.tables.meaning import Meaning, constant
from survey.tables.recording_names import recording_of
from survey.tables.sniff import TextTable
from survey.tables.sources import TextSource
from survey.tables.writing import refuse_existing, refuse_first, refuse_texts, write_lines, written

_NUMBER = re.compile(r"\s*-?\d+([.,]\d+)?([eE][-+]?\d+)?\s*")
_BINOMIAL = "^[A-Z][a-z-]+ [a-z-]+( [a-z-]+)?_."
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
    follows = "lead(c0) OVER following = '\\'"
    return Meaning(
        format="audacity",
        path=constant(recording_of(source.path)),
        start="TRY_CAST(c0 AS DOUBLE)",
        end="TRY_CAST(c1 AS DOUBLE)",
        name=f"nullif(CASE WHEN {both} THEN left({named}, {split} - 1) ELSE {named} END, '')",
        score=f"coalesce(TRY_CAST(c3 AS DOUBLE), TRY_CAST({percent} AS DOUBLE) / 100, 1.0)",
        common=f"CASE WHEN {both} THEN substr({named}, {split} + 1) END",
        low=f"CASE WHEN {follows} THEN TRY_CAST(lead(c1) OVER following AS DOUBLE) END",
        high=f"CASE WHEN {follows} THEN TRY_CAST(lead(c2) OVER following AS DOUBLE) END",
        numbers=frozenset(),
        keep="c0 <> '\\'",
    )


def write(cursor: duckdb.DuckDBPyConnection, folder: Path, *, overwrite: bool) -> int:
    """Write a label file for each recording into `folder`, called like the recording; how many labels.

    Raises
    ------
    RequestFailed
        Two recordings have the same name, or a class has a name that labels cannot carry.
    """
    why = "cannot stand in a label: it has a tab or a line break, or an underscore where BirdNET's labels have one."
    refuse_texts(cursor, "name", f"regexp_matches(name, '[\\t\\r\\n]') OR regexp_matches(name, '{_BINOMIAL}')", why)
    twice = "SELECT file FROM export_rows GROUP BY file HAVING count(DISTINCT path) > 1 LIMIT 1"
    refuse_first(cursor.execute(twice).fetchone(), "is the name of several recordings, whose label files would be one.")
    files = [row[0] for row in cursor.execute("SELECT DISTINCT file FROM export_rows ORDER BY file").fetchall()]
    paths = {file: folder / f"{file}.txt" for file in files}
    refuse_existing(paths.values(), overwrite=overwrite)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise from_os_error(error, folder, "make the folder") from error
    return sum(_write_labels(cursor, file, path) for file, path in paths.items())


def _write_labels(cursor: duckdb.DuckDBPyConnection, file: str, path: Path) -> int:
    binomial = f"regexp_matches(concat(name, '_', common), '{_BINOMIAL}')"
    query = (
        f'SELECT "start", "end", CASE WHEN common IS NOT NULL AND {binomial} THEN concat(name, \'_\', common) '
        f'ELSE name END, score, low, high FROM export_rows WHERE file = {literal(file)} ORDER BY "start", row, name'
    )
    with written(path, overwrite=True) as aside:
        return write_lines(cursor, query, _line, aside)


def _line(row: tuple[Any, ...]) -> str:
    start, end, label, score, low, high = row
    bounds = "" if low is None or high is None else f"\\\t{low!r}\t{high!r}\n"
    return f"{start!r}\t{end!r}\t{label}\t{score!r}\n{bounds}"
