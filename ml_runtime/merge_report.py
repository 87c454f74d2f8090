"""What is told of a merge: on stdout, and in missing.csv.

What lives here: those forms. What must not: finding out what they say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import msgspec

from schemas.jobs import Failure, JobState, OutputFile
from survey import atomic
from survey.job_folder import JobFolder


class MissingRecording(msgspec.Struct, frozen=True):
    """A recording that no shard has scored to its end; `shard` is whose it is ("3/20"), null where that is open."""

    path: str
    shard: str | None
    reason: str


class MergedShard(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """A shard as it was found; `shard` is null for a job that is none."""

    shard: str | None
    job_folder: str
    state: JobState
    running: bool


class MergeReport(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """What was joined, and what is missing: `absent` shards have no folder; the first 100 of `missing` and `failures`.

    missing.csv and failures.csv in the job folder hold all. `elapsed_seconds` adds up those of the shards.
    """

    job_id: str
    job_folder: str
    state: JobState
    files_total: int
    files_done: int
    files_failed: int
    files_missing: int
    clips: int
    audio_seconds: float
    elapsed_seconds: float
    shards: tuple[MergedShard, ...]
    absent: tuple[str, ...]
    missing: tuple[MissingRecording, ...]
    failures: tuple[Failure, ...]
    outputs: tuple[OutputFile, ...]
    warnings: tuple[str, ...]


def write_missing(folder: JobFolder, missing: Iterable[MissingRecording]) -> None:
    """Write missing.csv, also when nothing is missing: an old one must not stay."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "shard", "reason"))
    writer.writerows((recording.path, recording.shard or "", recording.reason) for recording in missing)
    atomic.write_bytes(folder.missing_path, text.getvalue().encode("utf-8"))
