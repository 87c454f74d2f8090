"""Joining the shards of a survey into one job, and telling what is missing.

What lives here: which shard's scores of a recording are taken, and what the joined job says of itself. What must not:
scoring, changing shards, the rule by which recordings are shared out (survey.shards).

Some shards may still be running, for closed parts never change. The joined folder is an ordinary job folder: joining
again takes in what was scored since, and resuming it scores what no shard did. Of a recording that is in several places
(shards of 10 and of 20, say) the place with the most of its clips is taken, whole. What is taken from elsewhere is
dropped first, so that a merge that was killed can simply be done again: nothing is doubled, and the shards have it all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ml_runtime import results
from ml_runtime.history import write_recordings
from ml_runtime.merge_report import MergedShard, MergeReport, MissingRecording, write_missing
from ml_runtime.shard_folders import ShardFolder, absent_shards, refuse_other_scores, why_missing
from rpc.cancel import CancelToken
from rpc.decoders import decoder_for
from rpc.errors import FileMissing
from schemas.config import Config
from schemas.jobs import Failure, JobState, OutputFile
from survey import atomic
from survey.config import scoring_part
from survey.inputs import find_recordings
from survey.job_folder import JobFolder, JobRecord
from survey.job_report import failure_of
from survey.ledger import AnyEvent, Done, Failed, Ledger, last_events, moment
from survey.parts import (
    ClipRange,
    Part,
    adopt_part,
    drop_recordings,
    missing_clips,
    next_part_number,
    part_path,
    read_parts,
    scored_ranges,
)
from survey.paths import natural_key, path_from_wire, path_to_wire
from survey.provenance import Provenance

Tell = Callable[[str], None]
_NAMED = 100


@dataclass(frozen=True, slots=True)
class _Account:
    """What became of the recordings: `events` are the last of those that are done or have failed."""

    recordings: Sequence[str]
    events: Mapping[str, Done | Failed]
    missing: Sequence[MissingRecording]

    @property
    def done(self) -> Sequence[Done]:
        return [event for event in self.events.values() if isinstance(event, Done)]

    @property
    def failed(self) -> Sequence[Failed]:
        return [event for event in self.events.values() if isinstance(event, Failed)]

    @property
    def failures(self) -> Sequence[Failure]:
        """As a run reports them, in the order of the input."""
        return [failure for event in self.events.values() if (failure := failure_of(event)) is not None]

    @property
    def state(self) -> JobState:
        if self.missing:
            return "interrupted"
        return "completed" if self.done or not self.recordings else "failed"


def merge(
    folder: JobFolder, shards: Sequence[ShardFolder], config: Config, token: CancelToken, tell: Tell
) -> MergeReport:
    """Join `shards` into the job in `folder`, which has begun and whose lock is held.

    Raises
    ------
    rpc.errors.ConfigInvalid
        What is scored in `folder` already was scored otherwise.
    rpc.errors.FileMissing
        There are no recordings, and no shard has seen any.
    rpc.errors.DiskFull, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
        The results cannot be written; merging can be tried again.
    rpc.errors.RequestCancelled
    """
    recordings, warnings = _recordings(shards, config, token)
    tell(f"joining {len(shards)} shards, {len(recordings)} recordings")
    parts = _join(folder, shards, token)
    account = _account(folder, shards, recordings, scored_ranges(parts))
    _enter(folder, account)
    tell("writing the results")
    outputs = _write_results(folder, shards, config, parts, account)
    record = _written_record(folder, shards, config, parts, account)
    return _report(folder, record, shards, account, outputs, (*warnings, *_made_differently(shards)))


def _recordings(
    shards: Sequence[ShardFolder], config: Config, token: CancelToken
) -> tuple[Sequence[str], tuple[str, ...]]:
    """The recordings that there are; where they are out of reach, those that the shards have seen."""
    try:
        return [path_to_wire(path) for path in find_recordings(config.input, token)], ()
    except FileMissing as error:
        seen = sorted({file for shard in shards for file in shard.recordings}, key=natural_key)
        if not seen:
            raise
        return seen, (f"{error.message} What the shards have seen of the recordings is taken for all of them.",)


def _join(folder: JobFolder, shards: Sequence[ShardFolder], token: CancelToken) -> Sequence[Part]:
    """Take the parts of the shards into the job."""
    own = read_parts(folder.scores_path)
    refuse_other_scores([("the joined job", own), *((shard.label, shard.parts) for shard in shards)])
    sources = [own, *(shard.parts for shard in shards)]
    chosen = _choose(sources)
    kept = [drop_recordings(part, _others(part, chosen, 0)) for part in own]
    parts = [part for part in kept if part is not None]
    number = next_part_number(folder.scores_path)
    for index, source in enumerate(sources[1:], 1):
        for part in source:
            token.raise_if_cancelled()
            adopted = adopt_part(part, part_path(folder.scores_path, number), _others(part, chosen, index))
            if adopted is not None:
                parts.append(adopted)
                number += 1
    return parts


def _choose(sources: Sequence[Sequence[Part]]) -> dict[str, int]:
    """For each recording the source that has the most of it as it is now; the first of equals."""
    best: dict[str, tuple[int, int]] = {}
    for index, parts in enumerate(sources):
        for file, held in scored_ranges(parts).items():
            if not _is_current(held):
                continue
            clips = held[0].total - sum(count for _, count in missing_clips(held, held[0].total))
            if file not in best or clips > best[file][0]:
                best[file] = (clips, index)
    return {file: index for file, (_, index) in best.items()}


def _is_current(held: Sequence[ClipRange]) -> bool:
    """Whether the recording is as it was when it was scored; one that is out of reach is taken to be."""
    stamp = held[0].recording
    if any(scored.recording != stamp for scored in held):
        return False
    try:
        status = path_from_wire(stamp.file).stat()
    except OSError:
        return True
    return (stamp.size, stamp.mtime_ns) == (status.st_size, status.st_mtime_ns)


def _others(part: Part, chosen: Mapping[str, int], index: int) -> set[str]:
    """The recordings in `part` that are taken from elsewhere, or not at all."""
    return {held.recording.file for held in part.header.ranges if chosen.get(held.recording.file) != index}


def _account(
    folder: JobFolder,
    shards: Sequence[ShardFolder],
    recordings: Sequence[str],
    held: Mapping[str, Sequence[ClipRange]],
) -> _Account:
    told = _latest([last_events(Ledger(folder.ledger_path).read()), *(shard.events for shard in shards)])
    present = set(recordings)
    events: dict[str, Done | Failed] = {}
    missing = []
    for file in (*recordings, *_gone(shards, present)):
        event, scored = told.get(file), held.get(file, [])
        if scored and not missing_clips(scored, scored[0].total):
            events[file] = _done(scored, event)
        elif isinstance(event, Failed):
            events[file] = event
        elif file in present:
            missing.append(MissingRecording(file, *why_missing(file, shards)))
    return _Account(recordings, events, missing)


def _gone(shards: Sequence[ShardFolder], present: set[str]) -> Sequence[str]:
    """Recordings that shards have seen, and that are not there any more."""
    return sorted({file for shard in shards for file in shard.recordings} - present, key=natural_key)


def _latest(sources: Sequence[Mapping[str, AnyEvent]]) -> dict[str, AnyEvent]:
    latest: dict[str, AnyEvent] = {}
    for events in sources:
        for file, event in events.items():
            if file not in latest or moment(event.at) > moment(latest[file].at):
                latest[file] = event
    return latest


def _done(scored: Sequence[ClipRange], event: AnyEvent | None) -> Done:
    """The event as the shard entered it; one that a crash kept out of its ledger is made of the parts."""
    if isinstance(event, Done) and event.recording == scored[0].recording:
        return event
    return Done(
        recording=scored[0].recording,
        clips=scored[0].total,
        audio_seconds=sum(held.audio_seconds for held in scored),
        unreadable=sum(len(held.unreadable) for held in scored),
    )


def _enter(folder: JobFolder, account: _Account) -> None:
    """Write into the ledger and the list of recordings what the joined job knows now."""
    ledger = Ledger(folder.ledger_path)
    known = last_events(ledger.read())
    new = [
        event
        for file, event in account.events.items()
        if type(known.get(file)) is not type(event) or known[file].recording != event.recording
    ]
    ledger.append(*new)
    write_recordings(folder, [*account.recordings, *(account.events.keys() - set(account.recordings))])


def _write_results(
    folder: JobFolder, shards: Sequence[ShardFolder], config: Config, parts: Sequence[Part], account: _Account
) -> tuple[OutputFile, ...]:
    results.write_failures(folder, account.failures)
    write_missing(folder, account.missing)
    made = next((shard.folder.environment_path for shard in shards if shard.folder.environment_path.exists()), None)
    if made is not None:
        atomic.write_bytes(folder.environment_path, made.read_bytes())
    if not parts:
        return ()
    outputs = results.write_tables(folder, config, parts, parts[0].header.basis, account.recordings)
    summary = next(_read_all((shard.folder.summary_path for shard in shards), results.Summary), None)
    if summary is not None:
        results.write_summary(folder, _joined_summary(summary, config, shards, parts, account))
    return outputs


def _joined_summary(
    summary: results.Summary, config: Config, shards: Sequence[ShardFolder], parts: Sequence[Part], account: _Account
) -> results.Summary:
    """`summary` is that of any shard: what it says of the model holds for all."""
    held = [scored for part in parts for scored in part.header.ranges]
    return msgspec.structs.replace(
        summary,
        name=config.name,
        files_total=len(account.events) + len(account.missing),
        files_done=len(account.done),
        files_failed=len(account.failed),
        files_skipped=0,
        clips=sum(scored.count for scored in held),
        unreadable_clips=sum(len(scored.unreadable) for scored in held),
        audio_seconds=sum(scored.audio_seconds for scored in held),
        elapsed_seconds=_elapsed_seconds(shards),
    )


def _written_record(
    folder: JobFolder, shards: Sequence[ShardFolder], config: Config, parts: Sequence[Part], account: _Account
) -> JobRecord:
    """job.json of the joined job; resuming it scores what is missing."""
    held = [scored for part in parts for scored in part.header.ranges]
    missing = len(account.missing)
    record = msgspec.structs.replace(
        folder.read_record(),
        state=account.state,
        started_at=min((record.started_at for record in _records(shards) if record.started_at), default=None),
        ended_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        files_total=len(account.events) + missing,
        files_done=len(account.done),
        files_failed=len(account.failed),
        files_skipped=0,
        clips=sum(scored.count - len(scored.unreadable) for scored in held),
        audio_seconds=sum(scored.audio_seconds for scored in held),
        elapsed_seconds=_elapsed_seconds(shards),
        message=f"{missing} recordings are not scored yet; missing.csv tells which and why." if missing else None,
        code=None,
        scoring=scoring_part(config),
    )
    folder.write_record(record)
    return record


def _report(
    folder: JobFolder,
    record: JobRecord,
    shards: Sequence[ShardFolder],
    account: _Account,
    outputs: tuple[OutputFile, ...],
    warnings: tuple[str, ...],
) -> MergeReport:
    return MergeReport(
        job_id=record.job_id,
        job_folder=path_to_wire(folder.path),
        state=record.state,
        files_total=record.files_total,
        files_done=record.files_done,
        files_failed=record.files_failed,
        files_missing=len(account.missing),
        clips=record.clips,
        audio_seconds=record.audio_seconds,
        elapsed_seconds=record.elapsed_seconds,
        shards=tuple(_as_found(shard) for shard in shards),
        absent=tuple(map(str, absent_shards(shards))),
        missing=tuple(account.missing[:_NAMED]),
        failures=tuple(account.failures[:_NAMED]),
        outputs=outputs,
        warnings=warnings,
    )


def _as_found(shard: ShardFolder) -> MergedShard:
    return MergedShard(
        shard=None if shard.shard is None else str(shard.shard),
        job_folder=path_to_wire(shard.folder.path),
        state=shard.state,
        running=shard.running,
    )


def _made_differently(shards: Sequence[ShardFolder]) -> Iterator[str]:
    """What the shards were not all made with alike: scores then differ in their last digits."""
    paths = [shard.folder.environment_path for shard in shards]
    made = [_flat(provenance) for provenance in _read_all(paths, Provenance)]
    for name in sorted({name for fields in made for name in fields}):
        values = sorted({str(fields.get(name)) for fields in made})
        if len(values) > 1:
            yield f"The shards were not made alike: {name} was {' and '.join(values)}."


def _flat(provenance: Provenance) -> dict[str, Any]:
    fields = msgspec.structs.asdict(provenance)
    return {**fields.pop("packages"), **fields}


def _read_all(paths: Iterable[Path], kind: type[Any]) -> Iterator[Any]:
    """The structs in those of the files that are there and whole."""
    for path in paths:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            yield decoder_for(kind).decode(path.read_bytes())


def _records(shards: Sequence[ShardFolder]) -> Sequence[JobRecord]:
    return [shard.record for shard in shards if shard.record is not None]


def _elapsed_seconds(shards: Sequence[ShardFolder]) -> float:
    return sum(record.elapsed_seconds for record in _records(shards))
