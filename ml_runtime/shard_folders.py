"""The job folders of a survey's shards: found, read, compared.

What lives here: what each shard has and how far it came, whether shards may be joined, whose a missing recording is.
What must not: changing anything in them.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ml_runtime.history import read_recordings
from rpc.errors import ConfigInvalid, JobNotFound, RequestFailed
from schemas.config import Config
from schemas.jobs import JobState
from survey.config import scoring_differences, scoring_part
from survey.job_folder import JobFolder, JobRecord
from survey.ledger import AnyEvent, Ledger, last_events
from survey.parts import Basis, Part, peek_parts
from survey.shards import Shard, shard_in_name, shard_of


@dataclass(frozen=True, slots=True)
class ShardFolder:
    """A shard as it stands. `events` are the last of each recording, `recordings` those that it saw as its own.

    `shard` is None for a job that is none, `record` where job.json cannot be read.
    """

    folder: JobFolder
    shard: Shard | None
    config: Config
    record: JobRecord | None
    parts: Sequence[Part]
    events: Mapping[str, AnyEvent]
    recordings: frozenset[str]
    running: bool

    @property
    def state(self) -> JobState:
        """Where it stands; one that says that it runs, and does not, was interrupted."""
        state = self.record.state if self.record is not None else "interrupted"
        return "interrupted" if state in ("preparing", "running") and not self.running else state

    @property
    def label(self) -> str:
        """What people call it."""
        return f"shard {self.shard}" if self.shard is not None else f"the job in {self.folder.path}"


def find_shards(base: JobFolder, elsewhere: Sequence[Path]) -> tuple[ShardFolder, ...]:
    """The shards below `base`, and those that `elsewhere` names: a shard's own folder, or one that shards are below.

    Raises
    ------
    JobNotFound
        There is none, or nothing of the kind in one of the folders.
    ConfigInvalid
        A shard's config.json is damaged.
    """
    paths = list(_below(base))
    for path in elsewhere:
        other = JobFolder(path.absolute())
        found = [*_below(other), *([other.path] if other.config_path.is_file() else [])]
        if not found:
            raise JobNotFound(f"There are no shards in {other.path}.", path=other.path)
        paths += found
    if not paths:
        hint = "Run them first (--shard 1/20 ...), with the same config, or name their folders after --merge."
        raise JobNotFound(f"There are no shards in {base.shards_path}.", path=base.shards_path, hint=hint)
    return tuple(_read(JobFolder(path)) for path in dict.fromkeys(paths))


def refuse_different(shards: Sequence[ShardFolder], config: Config, label: str) -> None:
    """Raise ConfigInvalid unless all shards were run with `config`, which is that of `label`, and one model.

    What only says how fast the shards run, or in which form results are written, may differ.
    """
    wanted = _compared(config)
    for shard in shards:
        places = scoring_differences(wanted, _compared(shard.config))
        if places:
            raise ConfigInvalid(
                f"{_sentence(shard.label)} was run with another config than {label}: {', '.join(places)}.",
                path=shard.folder.config_path,
                hint="Run it again with the same config, in an empty folder, or leave it out.",
            )
    refuse_other_scores([(shard.label, shard.parts) for shard in shards])


def refuse_other_scores(sources: Sequence[tuple[str, Sequence[Part]]]) -> None:
    """Raise ConfigInvalid unless the parts of all sources, each with what people call it, can be joined."""
    first: tuple[str, Basis] | None = None
    for label, parts in sources:
        for part in parts:
            first = first or (label, part.header.basis)
            difference = _difference(first[1], part.header.basis)
            if difference is not None:
                raise ConfigInvalid(
                    f"The scores of {label} cannot be joined with those of {first[0]}: {difference}.", path=part.path
                )


def absent_shards(shards: Sequence[ShardFolder]) -> tuple[Shard, ...]:
    """The shards that have no folder, of every number of shards that one is of."""
    there = {shard.shard for shard in shards if shard.shard is not None}
    counts = sorted({shard.count for shard in there})
    wanted = (Shard(index, count) for count in counts for index in range(1, count + 1))
    return tuple(shard for shard in wanted if shard not in there)


def why_missing(file: str, shards: Sequence[ShardFolder]) -> tuple[str | None, str]:
    """Whose the recording is ("3/20"; None where that cannot be told), and why it is not scored."""
    counts = Counter(shard.shard.count for shard in shards if shard.shard is not None)
    if not counts:
        return None, "no job has scored it"
    own = shard_of(file, counts.most_common(1)[0][0])
    owner = next((shard for shard in shards if shard.shard == own), None)
    return str(own), "its shard has no folder" if owner is None else _why(file, owner)


def _why(file: str, owner: ShardFolder) -> str:
    if owner.running:
        return "its shard is still running"
    if owner.state != "completed":
        return f"its shard stopped before the end ({owner.state}); run it again"
    if file in owner.recordings:
        return "it has changed since its shard scored it; run it again"
    return "it is new since its shard looked for recordings; run it again"


def _below(base: JobFolder) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(path for path in base.shards_path.iterdir() if (path / "config.json").is_file())


def _read(folder: JobFolder) -> ShardFolder:
    record = None
    with contextlib.suppress(JobNotFound):
        record = folder.read_record()
    # Before the parts: a shard that ends meanwhile counts as running, and not as one that left something out.
    running = _is_running(folder)
    return ShardFolder(
        folder=folder,
        shard=shard_in_name(folder.path.name) if record is None else record.shard,
        config=folder.read_config(),
        record=record,
        parts=peek_parts(folder.scores_path),
        events=last_events(Ledger(folder.ledger_path).read()),
        recordings=frozenset(read_recordings(folder)),
        running=running,
    )


def _is_running(folder: JobFolder) -> bool:
    try:
        return folder.is_locked()
    except RequestFailed:  # somebody else's folder, which cannot be locked
        return False


def _compared(config: Config) -> dict[str, Any]:
    chosen: Any = msgspec.json.decode(msgspec.json.encode(config.input))
    return {**scoring_part(config), "input": chosen}


def _difference(before: Basis, after: Basis) -> str | None:
    if before.fingerprint != after.fingerprint:
        return ", ".join(scoring_differences(before.scoring, after.scoring)) or "the configs differ"
    if before.weights != after.weights:
        return f"the model's weights differ ({before.weights} and {after.weights})"
    if before.classes != after.classes:
        return f"the model's classes differ ({len(before.classes)} and {len(after.classes)})"
    return None if before.layout == after.layout else f"one is {before.layout}, the other {after.layout}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
