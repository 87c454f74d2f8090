"""What earlier runs of a job left for this one: which recordings there were, which of them end processes, what is done.

What lives here: that reading of the ledger and of recordings.jsonl, and writing the latter. What must not: scoring.

A run may have several processes, for one that crashes is followed by another. They count as one: what was done since
the run began (`startedAt` in job.json) is done by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ml_runtime.books import Tally
from ml_runtime.standing import Standing
from rpc.errors import WorkerCrashed, from_os_error
from survey import atomic
from survey.crashes import Verdict, judge
from survey.job_folder import JobFolder
from survey.job_report import partial_failure
from survey.ledger import AnyEvent, Crashed, Done, Failed, last_events, moment
from survey.paths import path_from_wire, path_to_wire

_GONE = 1001


@dataclass(frozen=True, slots=True)
class Recordings:
    """`all` recordings of a job, in order; `added` were not there when it ran before."""

    all: tuple[Path, ...]
    added: tuple[Path, ...]


def remember(folder: JobFolder, found: Sequence[Path], events: Sequence[AnyEvent]) -> Recordings:
    """Compare the recordings found now with those of the run before, and write them down for the next.

    One that is gone without having been scored stays a recording of the job, so that it is reported.

    Raises
    ------
    rpc.errors.DiskFull, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
        The list cannot be read or written.
    """
    before = read_recordings(folder)
    last = last_events(events)
    known, present = set(before), {path_to_wire(path) for path in found}
    vanished = [file for file in before if file not in present and _is_missed(last.get(file))]
    recordings = (*found, *(path_from_wire(file) for file in vanished))
    added = tuple(path for path in found if path_to_wire(path) not in known) if before else ()
    if added or vanished or len(known) != len(recordings):
        write_recordings(folder, map(path_to_wire, recordings))
    return Recordings(recordings, added)


def read_recordings(folder: JobFolder) -> list[str]:
    """The recordings of the last run; none before the first. Raises as `remember`."""
    path = folder.recordings_path
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error, path, "read") from error
    return [str(msgspec.json.decode(line)) for line in content.splitlines()]


def write_recordings(folder: JobFolder, files: Iterable[str]) -> None:
    """Keep the list of recordings for the next run. Raises as `remember`."""
    atomic.write_bytes(folder.recordings_path, b"".join(msgspec.json.encode(file) + b"\n" for file in files))


@dataclass(frozen=True, slots=True)
class Run:
    """This run of a job until now. `guilty` recordings are to be passed over, `suspects` scored one by one."""

    began: datetime
    tally: Tally
    clips_before: int
    suspects: frozenset[Path]
    guilty: frozenset[Path]

    def elapsed_seconds(self) -> float:
        """Since the run began, with all its processes."""
        return max(0.0, (datetime.now(UTC) - self.began).total_seconds())


def look_back(folder: JobFolder, standing: Standing, events: Sequence[AnyEvent]) -> Run:
    """What this run of the job has done, and what it knows from crashes."""
    started = folder.read_record().started_at
    began = moment(started) if started else datetime.now(UTC)
    verdicts = judge(events, began)
    judged = {path: verdicts[stamp] for path, stamp in standing.stamps.items() if stamp in verdicts}
    tally = _tally(events, standing, began)
    return Run(began, tally, tally.clips, _those(judged, guilty=False), _those(judged, guilty=True))


def passed_over(path: Path) -> WorkerCrashed:
    """Why a guilty recording is not scored."""
    return WorkerCrashed(f"The process that runs the model ended each time that it scored {path}.", path=path)


def _those(judged: dict[Path, Verdict], *, guilty: bool) -> frozenset[Path]:
    return frozenset(path for path, verdict in judged.items() if verdict.suspect and verdict.guilty == guilty)


def _tally(events: Sequence[AnyEvent], standing: Standing, began: datetime) -> Tally:
    """What processes of this run did that have crashed since; of earlier runs, which clips could not be read."""
    last = last_events(events)
    files = [standing.stamps[path].file for path in standing.recordings if path in standing.complete]
    done = [event for file in files if isinstance(event := last.get(file), Done)]
    goes_on = any(isinstance(event, Crashed) and moment(event.at) >= began for event in events)
    ours = [event for event in done if goes_on and moment(event.at) >= began]
    begun = [
        scored
        for path in standing.stamps.keys() - standing.complete
        if goes_on and (event := last.get(standing.stamps[path].file)) is not None and moment(event.at) >= began
        for scored in standing.held_of(path)
    ]
    return Tally(
        files_done=len(ours),
        clips=sum(event.clips - event.unreadable for event in ours)
        + sum(scored.count - len(scored.unreadable) for scored in begun),
        audio_seconds=sum(event.audio_seconds for event in ours) + sum(scored.audio_seconds for scored in begun),
        failures=[partial_failure(event) for event in done if event.unreadable],
    )


def _is_missed(last: AnyEvent | None) -> bool:
    if isinstance(last, Failed):
        return last.code == _GONE
    return not isinstance(last, Done)
