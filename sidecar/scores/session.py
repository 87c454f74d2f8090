"""The tables that are open, by their scoresId.

What lives here: opening, finding and closing tables. What must not: formats (survey/tables), questions about
scores (questions.py, sampling.py).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, ScoresNotFound
from schemas.scores import ClassSummary, LoadParams, ScoreTable
from sidecar.scores.grouping import Places
from sidecar.scores.moved import Recordings
from survey.faults import nearest
from survey.paths import path_from_wire, path_to_wire
from survey.tables.columns import Column
from survey.tables.loading import OnLoading, ignore_loading
from survey.tables.store import StoredTable, TableStore

_NAMES_SHOWN = 3
_WAIT_SECONDS = 0.05
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A table that can be asked. `positions` gives the number of each class, by its name."""

    scores_id: str
    path: Path
    stored: StoredTable
    store: TableStore
    recordings: Recordings
    positions: dict[str, int] = field(default_factory=dict)
    _memory: dict[str, Any] = field(default_factory=dict)
    _finding: dict[str, threading.Lock] = field(default_factory=dict)

    def position(self, name: str) -> int:
        """The number of the class `name`.

        Raises
        ------
        ScoresNotFound
            The table has no such class; the nearest names are told.
        """
        if name in self.positions:
            return self.positions[name]
        guess = nearest(name, self.positions)
        hint = f"Did you mean `{guess}`?" if guess else f"It has {self._some_names()}."
        raise ScoresNotFound(f"{self.path.name} has no class `{name}`.", path=self.path, hint=hint)

    def names(self) -> tuple[str, ...]:
        """Every recording, by its name in the table."""
        return self.stored.kept.document.files

    def recording(self, clip: int) -> Path:
        """Where the recording of a clip is now."""
        return self.recordings.find(self.names()[self.stored.kept.clips.file[clip]])

    def places(self) -> Places:
        """When and where every recording was made."""
        return self.remembered("places", lambda: Places(self.names()))

    def file_ranks(self) -> Column:
        """The place of every recording among all of them in alphabetical order."""
        return self.remembered("file ranks", lambda: _ranks(np.array(self.names(), dtype=object)))

    def clip_ranks(self) -> Column:
        """The place of every clip among all of them by recording and start; clips that begin together share one."""
        clips = self.stored.kept.clips
        return self.remembered("clip ranks", lambda: _ranks(clips.start, self.file_ranks()[clips.file]))

    def clips_by_row(self) -> tuple[Column, Column]:
        """The clips of a dense table in the order of their rows, and these rows."""
        rows = self.stored.kept.clips.row
        assert rows is not None

        def found() -> tuple[Column, Column]:
            order = np.argsort(rows, kind="stable")
            return order, rows[order]

        return self.remembered("clips by row", found)

    def remembered(self, what: str, find: Callable[[], T], token: CancelToken | None = None) -> T:
        """What `find` finds, which is asked once while the table is open; others wait for it, as `token` lets them.

        Raises
        ------
        RequestCancelled
            And whatever `find` raises; then the next who asks tries again.
        """
        if what not in self._memory:
            lock = self._finding.setdefault(what, threading.Lock())
            while not lock.acquire(timeout=_WAIT_SECONDS):
                if token is not None:
                    token.raise_if_cancelled()
            try:
                if what not in self._memory:
                    self._memory[what] = find()
            finally:
                lock.release()
        found: T = self._memory[what]
        return found

    def places_now(self, token: CancelToken) -> tuple[str, ...]:
        """Where every recording is now, as clients know it. Raises RequestCancelled."""

        def found() -> tuple[str, ...]:
            places = []
            for name in self.names():
                token.raise_if_cancelled()
                places.append(path_to_wire(self.recordings.find(name)))
            return tuple(places)

        # What is sought below a folder may turn up later.
        return found() if self.recordings.are_sought else self.remembered("places now", found)

    def _some_names(self) -> str:
        names = [f"`{name}`" for name in list(self.positions)[:_NAMES_SHOWN]]
        more = len(self.positions) - len(names)
        return ", ".join(names) + (f" and {more} more" if more > 0 else "")


class ScoreSession:
    """All open tables of one process. Thread-safe."""

    def __init__(self, cache_folder: Path) -> None:
        self._store = TableStore(cache_folder / "tables")
        self._lock = threading.Lock()
        self._tables: dict[str, OpenTable] = {}

    def load(self, params: LoadParams, token: CancelToken, report: OnLoading = ignore_loading) -> ScoreTable:
        """Open a table, telling `report` how far it is. Each load gives a scoresId of its own, for the same file too.

        Raises
        ------
        FileMissing, PermissionRefused, FormatUnknown, DiskFull, OutOfMemory, RequestCancelled
        """
        path = path_from_wire(params.path)
        root = None if params.audio_root is None else path_from_wire(params.audio_root, "$.audioRoot")
        if root is not None and not root.is_dir():
            raise FileMissing(f"There is no folder {root} to look for the recordings in.", path=root)
        stored = self._store.open(path, params.format, token, report)
        classes = stored.content.classes
        table = OpenTable(
            scores_id=secrets.token_hex(8),
            path=path,
            stored=stored,
            store=self._store,
            recordings=Recordings(path.parent, root),
            positions={summary.name: index for index, summary in enumerate(classes)},
        )
        missing = None if root is None else self._count_missing(table, token)
        with self._lock:
            self._tables[table.scores_id] = table
        return _described(table, missing)

    def _count_missing(self, table: OpenTable, token: CancelToken) -> int:
        try:
            return sum(not path_from_wire(place).exists() for place in table.places_now(token))
        except BaseException:
            self._store.close(table.stored)
            raise

    def get(self, scores_id: str) -> OpenTable:
        """The table that `load` called `scores_id`.

        Raises
        ------
        ScoresNotFound
            It was closed, or never opened by this process.
        """
        with self._lock:
            table = self._tables.get(scores_id)
        if table is None:
            raise ScoresNotFound(f"No table is open under the id {scores_id!r}.", hint="Load it again.")
        return table

    def close(self, scores_id: str) -> None:
        """Forget a table. Raises ScoresNotFound as `get`."""
        table = self.get(scores_id)
        with self._lock:
            self._tables.pop(scores_id, None)
        self._store.close(table.stored)

    def clear_cache(self) -> int:
        """Delete what is kept of tables that are not open; how many bytes that freed."""
        return self._store.clear()

    def close_all(self) -> None:
        """Forget every table."""
        with self._lock:
            self._tables.clear()
        self._store.close_all()


def _ranks(*keys: Column) -> Column:
    """The place of each among all, by the last of the keys and then those before it; equal ones share a place."""
    order = np.lexsort(keys)
    changes = np.zeros(len(order), np.bool_)
    for key in keys:
        changes[1:] |= key[order][1:] != key[order][:-1]
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.cumsum(changes)
    return ranks


def _described(table: OpenTable, missing: int | None) -> ScoreTable:
    content = table.stored.content
    return ScoreTable(
        scores_id=table.scores_id,
        path=path_to_wire(table.path),
        format=content.format,
        layout=content.layout,
        row_count=content.clip_count,
        file_count=content.file_count,
        classes=content.classes,
        score_range=_range_of(content.classes),
        problems=content.problems,
        missing_file_count=missing,
    )


def _range_of(classes: tuple[ClassSummary, ...]) -> tuple[float, float] | None:
    """The lowest and highest finite score of all classes."""
    lows = [summary.min for summary in classes if summary.min is not None]
    highs = [summary.max for summary in classes if summary.max is not None]
    return (min(lows), max(highs)) if lows and highs else None
