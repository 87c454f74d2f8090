"""Dense tables of very many classes, from parts that have a row for each score.

What lives here: turning such rows into a line of CSV for each clip, part by part, in the order of the input. What must
not: other forms of parts or tables (export.py).

DuckDB would hold a block of 2,048 cells for every column. Here it only writes numbers as text; lines are put together
from them. A part holds its recordings in ranges, so that their order needs no sorting of rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import duckdb

from survey.database import literal
from survey.parts import KEY_COLUMNS, Part


@dataclass(frozen=True, slots=True)
class _Range:
    """Clips of one recording: `rows` of them in `part`, the first being its row `begin`."""

    part: Part
    begin: int
    rows: int
    key: tuple[int, str, int]


def append_lines(
    parts: Sequence[Part],
    classes: int,
    place: Mapping[str, int],
    whole: BinaryIO,
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
) -> None:
    """Write a line for each clip to the end of `whole`, by the recordings' `place`; those without one come last.

    `scratch` is a file that may be written. Raises OSError and duckdb.Error.
    """
    ranges = sorted((some for part in parts for some in _ranges_of(part, place)), key=lambda some: some.key)
    held: Part | None = None
    lines: list[bytes] = []
    for some in ranges:
        if some.part is not held:
            held, lines = some.part, _lines_of(some.part, classes, connection, scratch)
        whole.writelines(lines[some.begin : some.begin + some.rows])


def _ranges_of(part: Part, place: Mapping[str, int]) -> Iterator[_Range]:
    begin = 0
    for held in part.header.ranges:
        file = held.recording.file
        yield _Range(part, begin, held.count, (place.get(file, len(place)), file, held.first))
        begin += held.count


def _lines_of(part: Part, classes: int, connection: duckdb.DuckDBPyConnection, scratch: Path) -> list[bytes]:
    """The lines of all clips of a part."""
    rows = f"read_parquet({literal(str(part.path))}, file_row_number = true)"
    connection.execute(f"COPY (SELECT score FROM {rows}) TO {literal(str(scratch))} (FORMAT csv, HEADER false)")
    scores = scratch.read_bytes().splitlines()
    # As text, for DuckDB writes numbers in its own way.
    keys = ", ".join(f"{name}::VARCHAR" for name in KEY_COLUMNS)
    first = f"SELECT {keys} FROM {rows} WHERE file_row_number % {classes} = 0 ORDER BY file_row_number"
    clips = connection.execute(first).fetchall()
    return [_line(key, scores[number * classes : (number + 1) * classes]) for number, key in enumerate(clips)]


def _line(key: Sequence[str], scores: Sequence[bytes]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(key)
    return b",".join([text.getvalue().encode("utf-8"), *scores]) + b"\n"
