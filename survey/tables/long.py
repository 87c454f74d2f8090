"""Long tables: from rows with a score each to columns by class, the highest score first.

What lives here: numbering classes, recordings and clips, and handing rows on in their order. What must not: sorting
(sorting.py), where the rows come from (sparse.py; opensoundscape.py and its kin for dense tables of many classes).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import duckdb
import numpy as np

from schemas.scores import ClassSummary, TableFormat
from survey.tables.canonical import Document, TableContent, Target
from survey.tables.columns import Column, ColumnWriter, mapped, refuse_too_many
from survey.tables.kept import CLIP_KINDS
from survey.tables.loading import Loading
from survey.tables.sorting import PIECE, ClassStatistics, SortedScores
from survey.tables.wide import WIDE_STAGING, unordered

_Add = Callable[[Column, Mapping[str, Column]], None]
Kind = tuple[TableFormat, Literal["dense", "sparse"]]
"""The format of a source, and its layout."""

_KEYS = ("file", "start", "end")
_LOOKED_UP_AT_ONCE = 8_000_000


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a long table in their order, with their other names."""

    names: tuple[str, ...]
    commons: tuple[str | None, ...]
    codes: tuple[str | None, ...]


def fill_from_rows(
    cursor: duckdb.DuckDBPyConnection,
    target: Target,
    names: tuple[str, ...],
    kind: Kind,
    loading: Loading,
    share: float,
    *,
    checked: bool = True,
) -> Document:
    """Write the rows of `staging` (sparse.py) as columns.

    `names` gives the order of the classes, where it is known; otherwise they come in the order of their rows. `share`
    is how much of the whole loading this is. Rows that are not `checked` have recordings and classes, at least.

    Raises
    ------
    UnusableRows
        Times or a score that were not checked are none.
    RequestCancelled, RequestFailed, OSError
    """
    loading.stage(share * 0.1)
    classes = _number_classes(cursor, names)
    files = _number_files(cursor)
    bounds = _has_bounds(cursor)
    last = cursor.execute("SELECT max(row) FROM staging").fetchone()
    count = 0 if last is None or last[0] is None else int(last[0]) + 1
    refuse_too_many(count, target.path)
    scores = SortedScores(target.spill, len(classes.names), bounds=bounds)
    with ClipNumbers(target.folder) as clips, _one_behind(scores) as add:
        for first in range(0, count, PIECE):
            loading.stage(share * 0.6 * min(1, PIECE / count))
            rows = _rows_between(cursor, first, first + PIECE, bounds=bounds)
            if not checked and not _are_usable(rows):
                raise UnusableRows
            if len(rows["row"]):
                add(rows["class"], rows | {"clip": clips.number(rows)})
        clip_of = clips.settled(cursor)
    loading.stage(share * 0.3)
    statistics = scores.write(target.folder, loading.token, loading.tell, clip_of)
    return _document(kind, classes, files, clips.count, statistics, bounded=bounds)


def fill_from_wide(
    cursor: duckdb.DuckDBPyConnection,
    target: Target,
    names: tuple[str, ...],
    kind: Kind,
    loading: Loading,
    share: float,
) -> Document:
    """Write WIDE_STAGING (wide.py) as columns. Every row is a clip. Raises as `fill_from_rows`."""
    loading.stage(share * 0.1)
    cursor.execute(f"CREATE OR REPLACE TEMP VIEW staging AS SELECT row, path FROM {WIDE_STAGING}")
    files = _number_files(cursor)
    clips = cursor.execute(
        f'SELECT row, file, "start", "end" FROM {WIDE_STAGING} JOIN staged_files USING (path) ORDER BY row'
    ).fetchnumpy()
    _write_clips(target.folder, clips)
    scores = SortedScores(target.spill, len(names), bounds=False)
    step = max(1, PIECE // len(names))
    count = len(clips["row"])
    with _one_behind(scores) as add:
        for first in range(0, count, step):
            loading.stage(share * 0.6 * min(1, step / count))
            add(*_cells_of(cursor, clips["row"], first, min(first + step, count), len(names)))
    loading.stage(share * 0.3)
    statistics = scores.write(target.folder, loading.token, loading.tell)
    cursor.execute(f"DROP TABLE {WIDE_STAGING}")
    nothing = (None,) * len(names)
    return _document(kind, Classes(names, nothing, nothing), files, count, statistics, bounded=False)


def _write_clips(folder: Path, columns: Mapping[str, Column]) -> None:
    for name in _KEYS:
        with ColumnWriter(folder / f"{name}.{CLIP_KINDS[name]}", CLIP_KINDS[name]) as writer:
            writer.append(columns[name])
            writer.close()


def _cells_of(
    cursor: duckdb.DuckDBPyConnection, rows: Column, first: int, end: int, count: int
) -> tuple[Column, dict[str, Column]]:
    """The scores of the clips from `first` to `end`, clip by clip: their classes and columns."""
    every = (
        f"SELECT row, unnest(range({count})) AS class, unnest(scores) AS score FROM {WIDE_STAGING} "
        f"WHERE row BETWEEN {rows[first]} AND {rows[end - 1]}"
    )
    cells = cursor.execute(f"SELECT * FROM ({every}) WHERE score IS NOT NULL").fetchnumpy()
    order = np.argsort(cells["row"], kind="stable")
    row = cells["row"][order]
    return cells["class"][order], {"row": row, "clip": np.searchsorted(rows, row), "score": cells["score"][order]}


def _document(
    kind: Kind,
    classes: Classes,
    files: tuple[str, ...],
    clips: int,
    statistics: tuple[ClassStatistics, ...],
    *,
    bounded: bool,
) -> Document:
    summaries = (
        ClassSummary(name=name, count=one.count, min=one.low, max=one.high, mean=one.mean)
        for name, one in zip(classes.names, statistics, strict=True)
    )
    content = TableContent(
        format=kind[0],
        layout=kind[1],
        wide=False,
        clip_count=clips,
        file_count=len(files),
        classes=tuple(summaries),
        problems=(),
    )
    held = tuple(one.held for one in statistics)
    return Document(
        content=content,
        files=files,
        clips=clips,
        held=held,
        commons=classes.commons,
        codes=classes.codes,
        bounded=bounded,
    )


class UnusableRows(Exception):
    """Some rows have to be left out."""


def _are_usable(rows: Mapping[str, Column]) -> bool:
    """Whether no row is one of canonical.UNUSABLE, nor without a score."""
    start, end, score = rows["start"], rows["end"], rows["score"]
    if any(isinstance(column, np.ma.MaskedArray) for column in (start, end, score)):
        return False
    return bool((start >= 0).all() and (start <= end).all() and np.isfinite(end).all())


def _number_classes(cursor: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> Classes:
    found = cursor.execute(
        "SELECT name, arg_min(common, row), arg_min(code, row) FROM staging WHERE name IS NOT NULL "
        "GROUP BY name ORDER BY min(row)"
    ).fetchall()
    names = names or tuple(row[0] for row in found)
    known: dict[str, tuple[str | None, str | None]] = {name: (common, code) for name, common, code in found}
    others = [known.get(name, (None, None)) for name in names]
    kind = "USMALLINT" if len(names) <= 2**16 else "UINTEGER"
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE staged_classes (class {kind}, name VARCHAR)")
    cursor.execute("INSERT INTO staged_classes SELECT generate_subscripts($1, 1) - 1, unnest($1)", [list(names)])
    return Classes(names, tuple(common for common, _ in others), tuple(code for _, code in others))


def _number_files(cursor: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Recordings in the order of their first rows."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE staged_files AS SELECT "
        "CAST(row_number() OVER (ORDER BY min(row)) - 1 AS INTEGER) AS file, path FROM staging GROUP BY path"
    )
    rows = cursor.execute("SELECT path FROM staged_files ORDER BY file").fetchall()
    return tuple(row[0] for row in rows)


def _has_bounds(cursor: duckdb.DuckDBPyConnection) -> bool:
    known = "SELECT 1 FROM staging WHERE low IS NOT NULL OR high IS NOT NULL LIMIT 1"
    return cursor.execute(known).fetchone() is not None


def _rows_between(cursor: duckdb.DuckDBPyConnection, first: int, end: int, *, bounds: bool) -> dict[str, Column]:
    """The rows of staging with these numbers, in their order."""
    nan = "CAST('NaN' AS DOUBLE)"
    more = f", coalesce(low, {nan}) AS low, coalesce(high, {nan}) AS high" if bounds else ""
    # Named texts become numbers here, so that nothing but numbers leaves DuckDB.
    query = (
        f'SELECT row, class, file, "start", "end", score{more} FROM staging '
        f"JOIN staged_classes USING (name) JOIN staged_files USING (path) WHERE row >= {first} AND row < {end}"
    )
    rows: dict[str, Column] = dict(cursor.execute(query).fetchnumpy())
    if (np.diff(rows["row"]) > 0).all():
        return rows
    order = np.argsort(rows["row"], kind="stable")
    return {name: column[order] for name, column in rows.items()}


@contextlib.contextmanager
def _one_behind(scores: SortedScores) -> Iterator[_Add]:
    """Sort a piece while the next one is read."""
    with ThreadPoolExecutor(1, "sorting") as thread:
        waiting: list[Future[None]] = []

        def add(classes: Column, columns: Mapping[str, Column]) -> None:
            while waiting:
                waiting.pop().result()
            waiting.append(thread.submit(scores.add, classes, columns))

        yield add
        while waiting:
            waiting.pop().result()


class ClipNumbers:
    """Gives clips their numbers, in the order of their first rows, and writes what they are as columns.

    The rows of a clip mostly stand together, and recordings and times go up: then every change of them is a new clip.
    Where they do not, all are looked up at the end.
    """

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._paths = {name: folder / f"{name}.{CLIP_KINDS[name]}" for name in _KEYS}
        self._writers = {name: ColumnWriter(path, CLIP_KINDS[name]) for name, path in self._paths.items()}
        self._rising = True
        self._last: dict[str, Any] = {}
        self.count = 0

    def number(self, rows: Mapping[str, Column]) -> Column:
        """The number of each row's clip, as long as `settled` gives no other. Raises OSError."""
        new = np.ones(len(rows["row"]), np.bool_)
        new[1:] = False
        for name in _KEYS:
            new[1:] |= rows[name][1:] != rows[name][:-1]
        if self._last and all(rows[name][0] == self._last[name] for name in _KEYS):
            new[0] = False
        clips = {name: rows[name][new] for name in _KEYS}
        self._rising = self._rising and self._rises(clips)
        for name, writer in self._writers.items():
            writer.append(clips[name])
        numbers = np.cumsum(new, dtype=np.int64) + (self.count - 1)
        self.count += len(clips["file"])
        self._last = {name: rows[name][-1] for name in _KEYS}
        return numbers

    def _rises(self, clips: Mapping[str, Column]) -> bool:
        """Whether each of `clips` comes after the one before it, by recording and times."""
        last = [self._last[name] for name in _KEYS] if self._last else [-1, 0, 0]
        file, start, end = (clips[name] for name in _KEYS)
        f, s, e = (np.concatenate(([one], clips[name][:-1])) for name, one in zip(_KEYS, last, strict=True))
        return bool(((file > f) | ((file == f) & ((start > s) | ((start == s) & (end > e))))).all())

    def settled(self, cursor: duckdb.DuckDBPyConnection) -> Column | None:
        """The final number of each clip by the number that it was given; None where they are the same.

        Raises
        ------
        OSError
        """
        for writer in self._writers.values():
            writer.close()
        if self._rising:
            return None
        clip_of = self._looked_up(cursor)
        counted = cursor.execute("SELECT count(*) FROM staged_clips").fetchone()
        self.count = counted[0] if counted else 0
        self._write_again(cursor)
        return clip_of

    def _looked_up(self, cursor: duckdb.DuckDBPyConnection) -> Column:
        """Make the table of clips, each once; the clip of every one that was numbered."""
        given = {name: mapped(path, CLIP_KINDS[name]) for name, path in self._paths.items()}
        given["number"] = np.arange(self.count, dtype=np.uint32)
        cursor.register("given", given)
        with unordered(cursor):
            cursor.execute(
                "CREATE OR REPLACE TEMP TABLE staged_clips AS SELECT row_number() OVER (ORDER BY first) - 1 AS clip, "
                'file, "start", "end" FROM (SELECT file, "start", "end", min(number) AS first FROM given GROUP BY ALL)'
            )
        cursor.unregister("given")
        clip_of = np.empty(self.count, np.uint32)
        for first in range(0, self.count, _LOOKED_UP_AT_ONCE):
            some = {name: column[first : first + _LOOKED_UP_AT_ONCE] for name, column in given.items()}
            cursor.register("given", some)
            found = cursor.execute('SELECT number, clip FROM given JOIN staged_clips USING (file, "start", "end")')
            numbers = found.fetchnumpy()
            clip_of[numbers["number"]] = numbers["clip"]
            cursor.unregister("given")
        return clip_of

    def _write_again(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with contextlib.ExitStack() as stack:
            writers = {
                name: stack.enter_context(ColumnWriter(path, CLIP_KINDS[name])) for name, path in self._paths.items()
            }
            for first in range(0, self.count, _LOOKED_UP_AT_ONCE):
                these = f"clip >= {first} AND clip < {first + _LOOKED_UP_AT_ONCE}"
                query = f'SELECT file, "start", "end" FROM staged_clips WHERE {these} ORDER BY clip'
                columns = cursor.execute(query).fetchnumpy()
                for name, writer in writers.items():
                    writer.append(columns[name])
            for writer in writers.values():
                writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.__exit__(kind, error, trace)
