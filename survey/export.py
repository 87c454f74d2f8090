"""predictions.csv, predictions.parquet, failures.csv: what people take away from a job folder.

What lives here: turning closed parts into files for other programs, in the order of the input. What must not:
deciding what is scored.

Everything streams through DuckDB, so that memory does not grow with the survey. Parts are read as they are
where their rows are in order already, which they are unless a job was resumed or recordings changed; else they
are sorted, on disk where they are large.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.jobs import Failure
from survey import atomic
from survey.database import database, literal, quote, translated_errors
from survey.parts import KEY_COLUMNS, Basis, Part
from survey.pivot import append_lines
from survey.provenance import METADATA_KEY, Provenance

LONG_COLUMNS = (*KEY_COLUMNS, "class", "score")
_SORTING_MEMORY = "256MB"
_COLUMNS_TOGETHER = 10_000


def write_csv(parts: Sequence[Part], basis: Basis, order: Sequence[str], path: Path) -> None:
    """Write all scores as CSV: OpenSoundscape's form of a dense job, file,start_time,end_time,class,score of a sparse.

    `order` are the recordings' paths in the order of the rows; those that it lacks come last. Clips that could
    not be read have empty cells, as OpenSoundscape's own tables have.

    Raises
    ------
    rpc.errors.DiskFull, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
    """
    names = (*KEY_COLUMNS, *basis.classes) if basis.layout == "dense" else LONG_COLUMNS
    with _export(path) as (connection, aside):
        if basis.layout == "dense" and basis.row_by_score:
            _write_pivoted(parts, basis, order, connection, aside)
            return
        groups = tuple(_groups(parts, basis, order))
        if len(groups) == 1 and len({name.casefold() for name in names}) == len(names):
            rows = _rows(connection, parts, basis, order)
            connection.execute(f"COPY ({rows}) TO {literal(str(aside))} (FORMAT csv, HEADER true)")
        else:
            with aside.open("wb") as whole:
                whole.write(_csv_line(names).encode("utf-8"))
                for group in groups:
                    _append(group, basis, order, whole, aside)


def write_parquet(parts: Sequence[Part], basis: Basis, order: Sequence[str], path: Path) -> None:
    """Write all scores as Parquet in the sparse form, one row a score. See `write_csv`.

    The metadata (key `provenance`) lists what the scores were made with: more than one where a job was resumed with
    something else.
    """
    with _export(path) as (connection, aside):
        rows = _rows(connection, parts, basis, order) or _no_rows()
        if basis.layout == "dense" and parts:
            rows = f"FROM ({rows}) WHERE score IS NOT NULL" if basis.row_by_score else _renamed(connection, rows, basis)
        made_with = list(dict.fromkeys(_encoded(part.header.made_with) for part in parts if part.header.made_with))
        listed = literal("[" + ",".join(made_with) + "]")
        metadata = f"KV_METADATA {{{METADATA_KEY}: {listed}}}"
        connection.execute(f"COPY ({rows}) TO {literal(str(aside))} (FORMAT parquet, COMPRESSION zstd, {metadata})")


def write_failures(failures: Iterable[Failure], path: Path) -> None:
    """Write the recordings that could not be scored. Raises as `write_csv`."""
    text = io.StringIO()
    text.write(_csv_line(("file", "code", "message")))
    for failure in failures:
        text.write(_csv_line((failure.path, str(failure.code), failure.message)))
    atomic.write_bytes(path, text.getvalue().encode("utf-8"))


@contextlib.contextmanager
def _export(path: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A connection and a path to write to; what was written takes `path`'s place when all went well."""
    spill = path.with_name(f".{path.name}.sorting")
    try:
        with (
            atomic.written_aside(path) as aside,
            translated_errors(path),
            database(_SORTING_MEMORY, spill, threads=1) as connection,
        ):
            yield connection, aside
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _groups(parts: Sequence[Part], basis: Basis, order: Sequence[str]) -> Iterator[Sequence[Part]]:
    """Parts that are read together: all of them where they have to be sorted, else what memory holds comfortably.

    DuckDB keeps the description of every column of every file that it reads.
    """
    in_order = _in_order(parts, _places(order))
    columns = len(LONG_COLUMNS) if basis.row_by_score else len(basis.classes)
    together = max(1, _COLUMNS_TOGETHER // columns) if in_order else len(parts)
    for first in range(0, len(parts), together):
        yield parts[first : first + together]


def _rows(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], basis: Basis, order: Sequence[str]
) -> str | None:
    """The query that gives the rows of all parts in order; None when there are no parts."""
    if not parts:
        return None
    place = _places(order)
    paths = ", ".join(literal(str(part.path)) for part in parts)
    source = f"SELECT * FROM read_parquet([{paths}])"
    if _in_order(parts, place):
        return source
    connection.register("places", {"file": _texts(place), "place": np.arange(len(place))})
    connection.register("class_places", {"class": _texts(basis.classes), "place": np.arange(len(basis.classes))})
    by_class = basis.row_by_score
    classes = " LEFT JOIN class_places ON class_places.class = rows.class" if by_class else ""
    last = ", class_places.place" if by_class else ""
    return (
        f"SELECT rows.* FROM ({source}) AS rows LEFT JOIN places ON places.file = rows.file{classes} "
        f"ORDER BY places.place NULLS LAST, rows.file, rows.start_time{last}"
    )


def _write_pivoted(
    parts: Sequence[Part], basis: Basis, order: Sequence[str], connection: duckdb.DuckDBPyConnection, aside: Path
) -> None:
    """Write a dense table from parts that have a row a score."""
    scratch = _beside(aside)
    try:
        with aside.open("wb") as whole:
            whole.write(_csv_line((*KEY_COLUMNS, *basis.classes)).encode("utf-8"))
            append_lines(parts, len(basis.classes), _places(order), whole, connection, scratch)
    finally:
        scratch.unlink(missing_ok=True)


def _in_order(parts: Sequence[Part], place: Mapping[str, int]) -> bool:
    """Whether the rows of `parts`, one after the other, are in order already."""
    last = len(place)
    keys = [
        (place.get(held.recording.file, last), held.recording.file, held.first)
        for part in parts
        for held in part.header.ranges
    ]
    return all(before <= after for before, after in itertools.pairwise(keys))


def _long(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    """Dense `rows` as one row a score, named by column."""
    listed = ", ".join(quote(column) for column in _score_columns(connection, rows))
    return f"UNPIVOT ({rows}) ON {listed} INTO NAME class VALUE score"


def _score_columns(connection: duckdb.DuckDBPyConnection, rows: str) -> list[str]:
    described = connection.execute(f"DESCRIBE {rows}").fetchall()
    return [str(row[0]) for row in described][len(KEY_COLUMNS) :]


def _renamed(connection: duckdb.DuckDBPyConnection, rows: str, basis: Basis) -> str:
    """`_long`, with the classes' own names where DuckDB numbered columns that differ only in case."""
    columns = _score_columns(connection, rows)
    if columns == list(basis.classes):
        return _long(connection, rows)
    known = ", ".join(literal(column) for column in columns)
    named = ", ".join(literal(name) for name in basis.classes)
    keys = ", ".join(KEY_COLUMNS)
    # A lookup in a list, not a join: a join need not keep the order of the rows.
    return f"SELECT {keys}, [{named}][list_position([{known}], class)] AS class, score FROM ({_long(connection, rows)})"


def _encoded(made_with: Provenance) -> str:
    return msgspec.json.encode(made_with).decode()


def _no_rows() -> str:
    keys = "NULL::VARCHAR AS file, NULL::DOUBLE AS start_time, NULL::DOUBLE AS end_time"
    return f"SELECT {keys}, NULL::VARCHAR AS class, NULL::FLOAT AS score LIMIT 0"


def _append(parts: Sequence[Part], basis: Basis, order: Sequence[str], whole: BinaryIO, aside: Path) -> None:
    """Write the rows of `parts` to the end of `whole`; its header may have names that DuckDB would number.

    With a connection of its own, which gives back all its memory when it closes.
    """
    body = _beside(aside)
    try:
        with database(_SORTING_MEMORY, body.with_suffix(".sorting"), threads=1) as connection:
            rows = _rows(connection, parts, basis, order)
            connection.execute(f"COPY ({rows}) TO {literal(str(body))} (FORMAT csv, HEADER false)")
        with body.open("rb") as rows_alone:
            shutil.copyfileobj(rows_alone, whole)
    finally:
        body.unlink(missing_ok=True)
        shutil.rmtree(body.with_suffix(".sorting"), ignore_errors=True)


def _beside(aside: Path) -> Path:
    """A second file to write to, swept away like `aside` where a crash leaves it."""
    return aside.with_name(aside.name.replace(atomic.ASIDE_SUFFIX, f".body{atomic.ASIDE_SUFFIX}"))


def _places(order: Sequence[str]) -> dict[str, int]:
    return {file: index for index, file in enumerate(order)}


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _texts(values: Iterable[str]) -> NDArray[np.object_]:
    return np.array([*values], dtype=object)
