"""Would the patterns of an input catch what the job itself writes?

What lives here: that question. What must not: expanding patterns (inputs.py).

A pattern that spells an ending out takes files of any kind, so `survey/**/*.csv` with the output folder below `survey`
would, at the next run, take the results of this one for recordings. Without such an ending only recordings match, and
a job writes none.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from survey.job_folder import JobFolder

_RECURSIVE = "**"
_WILDCARDS = set("*?[")


def caught_result(pattern: Path, output: Path) -> Path | None:
    """A file that a job below the folder `output` will write and that `pattern` matches; both are absolute."""
    last = os.path.splitext(pattern.name)[1]  # noqa: PTH122  (a pattern is no path)
    if not last or _WILDCARDS & set(last):
        return None
    return next((file for file in _written_below(output) if _matches(file.parts, pattern.parts)), None)


def _written_below(output: Path) -> Iterator[Path]:
    """The files of any job there, of a shard too; the folder's name stands for all that it may have."""
    for job in (JobFolder(output / "job"), JobFolder(output / "job" / "shards" / "1-of-2")):
        yield from (
            job.config_path,
            job.record_path,
            job.log_path,
            job.environment_path,
            job.scores_path / "part-000001.parquet",
            job.ledger_path,
            job.recordings_path,
            job.failures_path,
            job.missing_path,
            job.predictions_path,
            job.predictions_parquet_path,
            job.summary_path,
        )


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == _RECURSIVE:
        return _matches(parts, pattern[1:]) or (bool(parts) and _matches(parts[1:], pattern))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
