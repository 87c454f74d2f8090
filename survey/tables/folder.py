"""A folder of tables, one for each recording, read as one.

What lives here: which files of a folder are tables of one format. What must not: job folders (job.py), any format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from rpc.errors import RequestFailed
from schemas.scores import RowProblem
from survey.paths import natural_key
from survey.tables import sparse
from survey.tables.canonical import Document, Target
from survey.tables.loading import Loading
from survey.tables.meaning import Meaning
from survey.tables.sources import Source

_ENDINGS = (".csv", ".txt", ".tsv", ".parquet", ".csv.gz", ".txt.gz", ".tsv.gz")

Recogniser = Callable[[Path], tuple[Source, Meaning] | None]


def tables_in(folder: Path) -> tuple[Path, ...]:
    """The files of `folder` that may be tables, in natural order; hidden ones are none."""
    named = (path for path in folder.iterdir() if path.name.lower().endswith(_ENDINGS))
    files = (path for path in named if path.is_file() and not path.name.startswith("."))
    return tuple(sorted(files, key=lambda path: natural_key(path.name)))


def read(
    cursor: duckdb.DuckDBPyConnection, target: Target, folder: Path, recognise: Recogniser, loading: Loading
) -> Document | None:
    """Fill `target` from the tables in `folder`. The first that is recognised decides on the format.

    None when no table has a row per score.

    Raises
    ------
    FormatUnknown
        No row can be read.
    RequestCancelled
        Between two tables.
    """
    skipped: list[RowProblem] = []
    found = _recognised(folder, recognise, skipped, loading)
    first = next(found, None)
    if first is None:
        return None
    kind = first[1].format

    def same() -> Iterator[tuple[Source, Meaning]]:
        yield first
        for source, meaning in found:
            if meaning.format == kind:
                yield source, meaning
            else:
                message = f"{source.path.name} was left out: it is of the format {meaning.format}, the others {kind}."
                skipped.append(RowProblem(row=0, message=message))

    document = sparse.read(cursor, target, same(), loading, named=True)
    return document.with_problems((*skipped, *document.content.problems))


def _recognised(
    folder: Path, recognise: Recogniser, skipped: list[RowProblem], loading: Loading
) -> Iterator[tuple[Source, Meaning]]:
    for path in tables_in(folder):
        loading.token.raise_if_cancelled()
        try:
            found = recognise(path)
        except RequestFailed as error:
            skipped.append(RowProblem(row=0, message=f"{path.name} was left out: {error.message}"))
            continue
        if found is None:
            skipped.append(RowProblem(row=0, message=f"{path.name} was left out: its columns fit no format."))
        else:
            yield found
