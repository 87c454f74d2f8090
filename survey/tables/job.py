"""The scores of a job: the closed parts in the scores/ folder of its job folder.

What lives here: finding and reading the parts, whether the job has ended or is still running. What must not:
writing them (survey/parts.py).

The metadata of the parts tells classes and clips; in the sparse layout a clip without a score worth keeping
has no row, but counts.
"""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

import duckdb
import msgspec

from rpc.errors import FormatUnknown
from schemas.scores import RowProblem
from survey.job_folder import JobFolder
from survey.parts import Part, peek_parts
from survey.tables import sparse
from survey.tables.canonical import MAX_WIDE, Document, Target
from survey.tables.loading import Loading
from survey.tables.long import fill_from_rows, fill_from_wide
from survey.tables.meaning import Meaning
from survey.tables.sources import MAX_PROBLEMS, ParquetSource
from survey.tables.wide import WIDE_STAGING, roomy, wide_document

_KEYS = 3
_ROWS_BY_SCORE = Meaning(
    format="job",
    path="c0",
    start="c1",
    end="c2",
    name="c3",
    score="c4",
    numbers=frozenset({1, 2, 4}),
    keep="c4 IS NOT NULL",
)


def scores_folder_of(path: Path) -> Path | None:
    """The folder with the parts, when `path` is a job folder or that folder itself; None when it is neither."""
    if (path / "config.json").is_file() and JobFolder(path).scores_path.is_dir():
        return JobFolder(path).scores_path
    return path if path.is_dir() and any(path.glob("part-*.parquet")) else None


def read(cursor: duckdb.DuckDBPyConnection, target: Target, folder: Path, loading: Loading) -> Document:
    """Fill `target` from the parts in `folder`.

    Raises
    ------
    FormatUnknown
        There is no part yet.
    RequestCancelled
        Between two parts.
    """
    parts = peek_parts(folder)
    if not parts:
        raise FormatUnknown(
            f"There are no scores in {folder} yet.",
            path=folder,
            hint="The job has scored nothing so far, or every recording failed: see failures.csv in its folder.",
        )
    read_parts = _read_scores if parts[0].header.basis.row_by_score else _read_dense
    document = read_parts(cursor, target, parts, loading)
    # Clips without a score worth keeping have no row.
    content = msgspec.structs.replace(
        document.content,
        clip_count=sum(held.count for part in parts for held in part.header.ranges),
        file_count=len({held.recording.file for part in parts for held in part.header.ranges}),
    )
    return msgspec.structs.replace(document, content=content).with_problems(_failures(folder.parent))


def _read_dense(
    cursor: duckdb.DuckDBPyConnection, target: Target, parts: tuple[Part, ...], loading: Loading
) -> Document:
    names = parts[0].header.basis.classes
    wide = len(names) <= MAX_WIDE
    _insert_dense(cursor, target.schema, parts, loading, wide=wide)
    if wide:
        return wide_document(cursor, target, names, "job", ())
    return fill_from_wide(cursor, target, names, ("job", "dense"), loading, 0.2)


def _insert_dense(
    cursor: duckdb.DuckDBPyConnection, schema: str, parts: tuple[Part, ...], loading: Loading, *, wide: bool
) -> None:
    """The rows of all parts into the clips of a wide table, or into the staging of a long one."""
    count = len(parts[0].header.basis.classes)
    kept = "".join(f", s{index} DOUBLE" for index in range(count)) if wide else ", scores DOUBLE[]"
    kind, table = ("TABLE", f"{schema}.clips") if wide else ("TEMP TABLE", WIDE_STAGING)
    cursor.execute(f'CREATE OR REPLACE {kind} {table} (row BIGINT, path VARCHAR, "start" DOUBLE, "end" DOUBLE{kept})')
    cells = ", ".join(f"c{index + _KEYS}" for index in range(count))
    rows = 0
    with contextlib.nullcontext() if wide else roomy(cursor):
        for part in parts:
            loading.stage(0.8 / len(parts))
            numbered = f"{rows} + row_number() OVER () - 1, c0, c1, c2, {cells if wide else f'[{cells}]'}"
            relation = ParquetSource((part.path,), cursor).relation(range(1, _KEYS + count))
            inserted = cursor.execute(f"INSERT INTO {table} SELECT {numbered} FROM {relation}").fetchone()
            rows += inserted[0] if inserted else 0


def _read_scores(
    cursor: duckdb.DuckDBPyConnection, target: Target, parts: tuple[Part, ...], loading: Loading
) -> Document:
    sparse.create_staging(cursor)
    rows = 0
    for part in parts:
        loading.stage(0.8 / len(parts))
        rows = sparse.fill_staging(cursor, ParquetSource((part.path,), cursor), _ROWS_BY_SCORE, rows)
    basis = parts[0].header.basis
    return fill_from_rows(cursor, target, basis.classes, ("job", basis.layout), loading, 0.2)


def _failures(job_folder: Path) -> list[RowProblem]:
    """The recordings that the job could not score, as its failures.csv tells them."""
    try:
        with JobFolder(job_folder).failures_path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = list(csv.DictReader(file))[:MAX_PROBLEMS]
    except OSError:
        return []
    return [RowProblem(row=0, message=f"{row.get('file')}: {row.get('message')}") for row in rows]
