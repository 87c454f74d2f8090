"""scores/part-000001.parquet ...: the scores of a job, in closed files that never change.

What lives here: writing a part, reading what the parts hold, dropping recordings from them. What must not:
which clips are still to be scored (the runner's question), the exports made from parts (export.py).

A part is written aside, flushed, and renamed, so that whatever exists under its name is whole. Its Parquet
metadata (key `survey`) names the recordings and clip ranges that it holds, what the scores depend on, and all
classes; hence the parts alone tell what is scored.

Layouts
-------
dense   file, start_time, end_time, then a column per class in the model's order. NULL: the clip could not be read.
        Of more than MOST_COLUMNS classes: the rows of the sparse layout, each clip with all its classes in order, for
        every column of a Parquet file costs memory.
sparse  file, start_time, end_time, class, score: only the scores worth keeping. Clips without any have no row,
        but count in the metadata.

Times are seconds from the start of the recording. Clips of a recording are numbered from 0.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from rpc.decoders import decoder_for
from survey import atomic
from survey.database import database, literal, quote, translated_errors
from survey.ledger import Stamp
from survey.provenance import Provenance

Layout = Literal["dense", "sparse"]
METADATA_KEY = "survey"
KEY_COLUMNS = ("file", "start_time", "end_time")
MOST_COLUMNS = 1_000
_SCORES_BY_CLIP = 4_000_000
_SCORES_BY_ROW = 500_000
"""As many scores as a part may hold, a row a clip or a row a score, so that writing it takes some 30 MB."""


class ClipRange(msgspec.Struct, frozen=True, rename="camel"):
    """Clips `first` up to `first + count` of a recording that has `total`. `unreadable` are clips without a score."""

    recording: Stamp
    first: int
    count: int
    total: int
    start_seconds: float
    end_seconds: float
    audio_seconds: float
    unreadable: tuple[int, ...] = ()


class Basis(msgspec.Struct, frozen=True, rename="camel"):
    """What the scores of a job depend on; parts of one job share it.

    `fingerprint` and `scoring` are the config's (survey.config), `weights` identifies the model's content,
    `classes` are in the model's order.
    """

    layout: Layout
    classes: tuple[str, ...]
    fingerprint: str
    scoring: dict[str, Any]
    weights: str | None = None

    @property
    def row_by_score(self) -> bool:
        """Whether a part has a row for each score, and not one for each clip."""
        return self.layout == "sparse" or len(self.classes) > MOST_COLUMNS


class PartHeader(msgspec.Struct, frozen=True, rename="camel"):
    """The metadata of a part. `made_with` is None in parts of earlier versions."""

    basis: Basis
    ranges: tuple[ClipRange, ...]
    version: int = 1
    made_with: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A closed part."""

    path: Path
    header: PartHeader


@dataclass(frozen=True, slots=True)
class Keep:
    """Which scores the sparse layout keeps of each clip: those at or above `threshold`, and the `top_k` highest."""

    threshold: float | None
    top_k: int | None

    def select(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Mask of the scores kept, shape [clips, classes] as `scores`. NaN is never kept."""
        kept = np.zeros(scores.shape, dtype=bool)
        if self.threshold is not None:
            kept |= scores >= self.threshold
        if self.top_k is not None and scores.size:
            count = min(self.top_k, scores.shape[1])
            # NaN sorts last, so it is among the first of the negated order only where nothing else is left.
            highest = np.argsort(-scores, axis=1, kind="stable")[:, :count]
            np.put_along_axis(kept, highest, True, axis=1)
        kept &= ~np.isnan(scores)
        return kept


@dataclass(frozen=True, slots=True)
class ScoredClips:
    """Consecutive clips of one recording with their scores, shape [clips, classes]; a row of NaN is unreadable."""

    range: ClipRange
    start_seconds: NDArray[np.float64]
    end_seconds: NDArray[np.float64]
    scores: NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Scores of consecutive clips, one a row: `clips` and `classes` number what each is of, shape [rows]."""

    of: ScoredClips
    clips: NDArray[np.intp]
    classes: NDArray[np.intp]
    scores: NDArray[np.floating[Any]]


class PartWriter:
    """Collects scored clips and writes them out as parts.

    A part must be closed when `is_full`; when else is the caller's choice. `made_with` may be set until the first part
    is closed.
    """

    def __init__(self, folder: Path, basis: Basis, keep: Keep, made_with: Provenance | None = None) -> None:
        self.folder = folder
        self.basis = basis
        self.made_with = made_with
        self._keep = keep
        self._pending: list[ScoredClips] = []
        self._kept: list[_Rows] = []
        self._number = next_part_number(folder)

    @property
    def is_full(self) -> bool:
        """Whether more scores wait for the next part than memory should hold."""
        waiting = sum(rows.scores.size for rows in self._kept) or sum(clips.scores.size for clips in self._pending)
        return waiting >= (_SCORES_BY_ROW if self.basis.row_by_score else _SCORES_BY_CLIP)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for the next part."""
        return not self._pending

    def add(self, clips: ScoredClips) -> None:
        """Take clips into the next part; those of one recording in order."""
        if self.basis.layout == "sparse":
            # Of the scores only those kept, so that what is not worth keeping does not wait in memory.
            rows = _kept(clips, self._keep)
            self._kept.append(rows)
            clips = rows.of
        self._pending.append(clips)

    def close_part(self) -> Part | None:
        """Write what was added since the last part; None when that is nothing.

        Raises
        ------
        rpc.errors.DiskFull, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
            Nothing is lost: the clips still wait, and closing can be tried again.
        """
        if not self._pending:
            return None
        ranges = _joined(clips.range for clips in self._pending)
        header = PartHeader(self.basis, ranges, made_with=self.made_with)
        columns = self._columns()
        path = part_path(self.folder, self._number)
        with atomic.written_aside(path) as aside, translated_errors(path), database(threads=1) as connection:
            connection.register("part_rows", columns)
            _copy(connection, f"SELECT {_named_columns(columns, self.basis)} FROM part_rows", header, aside)
        self._pending.clear()
        self._kept.clear()
        self._number += 1
        return Part(path, header)

    def _columns(self) -> dict[str, NDArray[Any]]:
        if not self.basis.row_by_score:
            return _columns_by_clip(self._pending)
        return _columns_by_score(self._kept or [_all_of(clips) for clips in self._pending], self.basis)


def next_part_number(folder: Path) -> int:
    """The number after the last that a part, also a damaged one, in `folder` has."""
    return 1 + max((_number_of(path) for path in folder.glob("part-*.parquet*")), default=0)


def part_path(folder: Path, number: int) -> Path:
    """Where the part of this number is."""
    return folder / f"part-{number:06d}.parquet"


def read_parts(folder: Path) -> tuple[Part, ...]:
    """The closed parts in `folder`, oldest first. What a crash left aside is swept away.

    A part that cannot be read is renamed to `*.damaged`: its clips then count as not scored.
    """
    atomic.sweep_aside(folder)
    paths = sorted(folder.glob("part-*.parquet"))
    if not paths:
        return ()
    parts = []
    with database() as connection:
        for path in paths:
            header = _read_header(connection, path)
            if header is None:
                path.replace(path.with_name(f"{path.name}.damaged"))
            else:
                parts.append(Part(path, header))
    return tuple(parts)


def peek_parts(folder: Path) -> tuple[Part, ...]:
    """The closed parts in `folder`, oldest first, with everything left as it is: somebody may be writing there."""
    with database() as connection:
        headers = [(path, _read_header(connection, path)) for path in sorted(folder.glob("part-*.parquet"))]
    return tuple(Part(path, header) for path, header in headers if header is not None)


def drop_recordings(part: Part, files: Collection[str]) -> Part | None:
    """Rewrite `part` without the rows of `files`; None when nothing is left and the part is gone.

    Raises
    ------
    rpc.errors.DiskFull, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
        The part is as it was.
    """
    left = tuple(kept for kept in part.header.ranges if kept.recording.file not in files)
    if len(left) == len(part.header.ranges):
        return part
    if not left:
        with translated_errors(part.path):
            part.path.unlink()
        return None
    return _write_without(part, files, left, part.path)


def adopt_part(part: Part, path: Path, leave_out: Collection[str]) -> Part | None:
    """Take `part` of another job, as `path`, without the rows of the recordings `leave_out`; None if none is left.

    A part that is taken whole takes no room where the disk knows hard links: parts never change.

    Raises
    ------
    rpc.errors.DiskFull, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
    """
    left = tuple(kept for kept in part.header.ranges if kept.recording.file not in leave_out)
    if not left:
        return None
    if len(left) < len(part.header.ranges):
        return _write_without(part, leave_out, left, path)
    with atomic.written_aside(path) as aside, translated_errors(path):
        try:
            aside.hardlink_to(part.path)
        except OSError:
            shutil.copyfile(part.path, aside)
    return Part(path, part.header)


def _write_without(part: Part, files: Collection[str], left: tuple[ClipRange, ...], path: Path) -> Part:
    """Write `part` to `path` without the rows of `files`; `left` is what it then holds."""
    header = msgspec.structs.replace(part.header, ranges=left)
    with atomic.written_aside(path) as aside, translated_errors(path), database() as connection:
        gone = ", ".join(literal(file) for file in files)
        query = f"SELECT * FROM read_parquet({literal(str(part.path))}) WHERE file NOT IN ({gone})"
        _copy(connection, query, header, aside)
    return Part(path, header)


def scored_ranges(parts: Iterable[Part]) -> dict[str, list[ClipRange]]:
    """What the parts hold of each recording, by its path, in the order of its clips."""
    ranges: dict[str, list[ClipRange]] = {}
    for part in parts:
        for held in part.header.ranges:
            ranges.setdefault(held.recording.file, []).append(held)
    for found in ranges.values():
        found.sort(key=lambda held: held.first)
    return ranges


def missing_clips(held: Sequence[ClipRange], total: int) -> list[tuple[int, int]]:
    """The clips of `total` that `held` (in order) lacks, as (first, count)."""
    gaps, reached = [], 0
    for scored in held:
        if scored.first > reached:
            gaps.append((reached, scored.first - reached))
        reached = max(reached, scored.first + scored.count)
    if reached < total:
        gaps.append((reached, total - reached))
    return gaps


def _read_header(connection: duckdb.DuckDBPyConnection, path: Path) -> PartHeader | None:
    query = f"SELECT value FROM parquet_kv_metadata({literal(str(path))}) WHERE key = '{METADATA_KEY}'"
    try:
        row = connection.execute(query).fetchone()
        return None if row is None else decoder_for(PartHeader).decode(row[0])
    except (duckdb.Error, msgspec.DecodeError):
        return None


def _copy(connection: duckdb.DuckDBPyConnection, query: str, header: PartHeader, path: Path) -> None:
    metadata = literal(msgspec.json.encode(header).decode())
    options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{METADATA_KEY}: {metadata}}}"
    connection.execute(f"COPY ({query}) TO {literal(str(path))} ({options})")


def _columns_by_clip(clips: Sequence[ScoredClips]) -> dict[str, NDArray[Any]]:
    """One row a clip. The columns of scores have numbers for names until the part is written."""
    scores = np.concatenate([some.scores for some in clips])
    keys = {
        "file": np.repeat(_files_of(clips), [len(some.scores) for some in clips]),
        "start_time": np.concatenate([some.start_seconds for some in clips]),
        "end_time": np.concatenate([some.end_seconds for some in clips]),
    }
    return keys | {str(index): np.ascontiguousarray(column) for index, column in enumerate(scores.T)}


def _columns_by_score(rows: Sequence[_Rows], basis: Basis) -> dict[str, NDArray[Any]]:
    """One row a score, those of a clip in the order of the classes."""
    classes = np.array(basis.classes, dtype=object)
    return {
        "file": np.repeat(_files_of([some.of for some in rows]), [len(some.scores) for some in rows]),
        "start_time": np.concatenate([some.of.start_seconds[some.clips] for some in rows]),
        "end_time": np.concatenate([some.of.end_seconds[some.clips] for some in rows]),
        "class": np.concatenate([classes[some.classes] for some in rows]),
        "score": np.concatenate([some.scores for some in rows]),
    }


def _kept(clips: ScoredClips, keep: Keep) -> _Rows:
    mask = keep.select(clips.scores)
    numbers, classes = np.nonzero(mask)
    # Not a slice of the scores, which would hold all of them.
    without = dataclasses.replace(clips, scores=np.empty((0, clips.scores.shape[1]), clips.scores.dtype))
    return _Rows(without, numbers, classes, clips.scores[mask])


def _all_of(clips: ScoredClips) -> _Rows:
    count, classes = clips.scores.shape
    numbers = np.repeat(np.arange(count), classes)
    return _Rows(clips, numbers, np.tile(np.arange(classes), count), clips.scores.ravel())


def _files_of(clips: Sequence[ScoredClips]) -> NDArray[np.object_]:
    return np.array([some.range.recording.file for some in clips], dtype=object)


def _named_columns(columns: Iterable[str], basis: Basis) -> str:
    """The select list that gives the columns of scores the names of their classes."""
    if basis.row_by_score:
        return ", ".join(quote(name) for name in columns)
    # NOTE: column names that differ only in case are one to DuckDB, which then numbers them. Position is the truth.
    classes = [f"{quote(str(index))} AS {quote(name)}" for index, name in enumerate(basis.classes)]
    return ", ".join([*KEY_COLUMNS, *classes])


def _joined(ranges: Iterable[ClipRange]) -> tuple[ClipRange, ...]:
    """Neighbouring ranges of one recording as one."""
    joined: list[ClipRange] = []
    for following in ranges:
        before = joined[-1] if joined else None
        if before is None or before.recording != following.recording or before.first + before.count != following.first:
            joined.append(following)
            continue
        joined[-1] = msgspec.structs.replace(
            before,
            count=before.count + following.count,
            end_seconds=following.end_seconds,
            audio_seconds=before.audio_seconds + following.audio_seconds,
            unreadable=before.unreadable + following.unreadable,
        )
    return tuple(joined)


def _number_of(path: Path) -> int:
    digits = path.name.removeprefix("part-").partition(".")[0]
    return int(digits) if digits.isdigit() else 0
