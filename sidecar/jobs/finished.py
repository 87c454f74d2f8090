"""Whether a job has anything left to do, told without starting a worker.

What lives here: the comparison of recordings with the closed parts. What must not: changing either.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from survey.job_folder import JobFolder
from survey.ledger import Stamp
from survey.parts import ClipRange, missing_clips, peek_parts, scored_ranges
from survey.paths import path_to_wire


def nothing_left(folder: JobFolder, recordings: Sequence[Path]) -> bool:
    """Whether every recording, as it is now, is scored from end to end, and the results were written.

    A recording that failed before counts as left: it may have been repaired.
    """
    if folder.read_record().state != "completed" or not folder.summary_path.exists():
        return False
    held = scored_ranges(peek_parts(folder.scores_path))
    return all(_is_scored(path, held.get(path_to_wire(path), [])) for path in recordings)


def _is_scored(path: Path, held: Sequence[ClipRange]) -> bool:
    if not held or missing_clips(held, held[0].total):
        return False
    try:
        status = path.stat()
    except OSError:
        return False
    stamp = Stamp(path_to_wire(path), status.st_size, status.st_mtime_ns)
    return all(scored.recording == stamp for scored in held)
