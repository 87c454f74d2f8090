"""Will the results fit on the disk? Estimated before anything is scored.

What lives here: the estimate, and the refusal. What must not: what to do when a disk is full all the same.

The length of the recordings is taken from their sizes and from the headers of some of them, spread over all, so that
a hundred thousand files are not opened. The bytes per score are guesses at the lower end: what is refused would
hardly have fitted. What the sparse layout keeps for its threshold is not known and not counted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rpc.errors import DiskFull, RequestFailed
from schemas.config import Config, OutputConfig
from survey.model_config import known_classes, known_clip_seconds
from survey.recordings import open_recording

_DENSE_UP_TO = 500
_SAMPLED = 24
_DENSE_PART_BYTES = 3.4
_SPARSE_PART_BYTES = 5.0
_CSV_SCORE_BYTES = 9.0
_CSV_KEY_BYTES = 12
_PARQUET_SCORE_BYTES = 3.4


@dataclass(frozen=True, slots=True)
class Results:
    """What a job writes: a clip every `step_seconds`, `scores` of each; the tables in `formats` beside the parts."""

    step_seconds: float
    scores: int
    dense: bool
    formats: Sequence[str]

    def bytes_per_clip(self, path_bytes: float) -> float:
        """In parts and tables together; a row of a CSV holds a path of `path_bytes`."""
        key = path_bytes + _CSV_KEY_BYTES
        if self.dense:
            part, csv = _DENSE_PART_BYTES * self.scores, key + _CSV_SCORE_BYTES * self.scores
        else:
            part, csv = _SPARSE_PART_BYTES * self.scores, (key + 2 * _CSV_SCORE_BYTES) * self.scores
        tables = {"csv": csv, "parquet": _PARQUET_SCORE_BYTES * self.scores}
        return part + sum(tables[name] for name in set(self.formats))


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that the results need, estimated, and that the disk has."""

    needed_bytes: int
    free_bytes: int

    def refusal(self, folder: Path) -> DiskFull | None:
        """Why nothing should be begun; None where there is room."""
        if self.needed_bytes <= self.free_bytes:
            return None
        message = (
            f"The results will need about {_size(self.needed_bytes)}, and the disk of {folder} has "
            f"{_size(self.free_bytes)} free."
        )
        hint = "Make room, choose another output folder, or keep fewer scores (layout sparse with a threshold or topK)."
        return DiskFull(message, path=folder, hint=hint)


def known_results(config: Config) -> Results | None:
    """What a job with this config will write; None where only its model can tell."""
    classes, clip_seconds = known_classes(config.model), known_clip_seconds(config.model)
    if classes is None or clip_seconds is None:
        return None
    count = len(config.inference.classes or classes)
    dense = dense_layout(config.output, count)
    scores = count if dense else min(config.output.top_k or 0, count)
    step = clip_seconds - config.inference.clip_overlap_seconds
    return Results(step, scores, dense=dense, formats=config.output.formats)


def dense_layout(output: OutputConfig, classes: int) -> bool:
    """Whether every score is kept: as the config says, else up to 500 classes."""
    return classes <= _DENSE_UP_TO if output.layout == "auto" else output.layout == "dense"


def look_at_room(folder: Path, results: Results, recordings: Sequence[Path]) -> Room:
    """What scoring `recordings` will need in `folder`, which may not be there yet, and what is free.

    Raises
    ------
    OSError
        The disk of the folder tells nothing.
    """
    existing = next((above for above in (folder, *folder.parents) if above.exists()), folder)
    path_bytes = sum(len(os.fsencode(path)) for path in recordings) / max(1, len(recordings))
    clips = estimated_seconds(recordings) / max(results.step_seconds, 1e-3)
    needed = round(clips * results.bytes_per_clip(path_bytes))
    return Room(needed, shutil.disk_usage(existing).free)


def check_room(folder: Path, results: Results, recordings: Sequence[Path]) -> None:
    """Raise DiskFull when the results of `recordings` will not fit."""
    try:
        room = look_at_room(folder, results, recordings)
    except OSError:
        return
    refusal = room.refusal(folder)
    if refusal is not None:
        raise refusal


def estimated_seconds(recordings: Sequence[Path]) -> float:
    """How long all recordings are together; those that cannot be read count as nothing."""
    step = max(1, len(recordings) // _SAMPLED)
    seconds, size = 0.0, 0
    for path in recordings[::step]:
        try:
            with open_recording(path) as recording:
                seconds, size = seconds + recording.duration_seconds, size + recording.size_bytes
        except RequestFailed:
            continue
    return seconds / size * sum(map(_size_of, recordings)) if size else 0.0


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _size(count: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
