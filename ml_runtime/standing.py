"""Where a job stands before it is run: which recordings there are, and which of their clips are scored.

What lives here: comparing recordings on the disk with what the parts hold. What must not: scoring.

A recording whose size or modification time has changed since it was scored is another recording: its old scores are
dropped from the parts, and it is scored anew. A job whose config or model changed is refused, for its parts would
mix scores that cannot be compared. Recordings that failed are tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from rpc.errors import ConfigInvalid, RequestFailed, from_os_error
from schemas.config import Config
from survey.config import differences
from survey.ledger import Stamp
from survey.parts import Basis, ClipRange, Part, drop_recordings, missing_clips, scored_ranges
from survey.paths import path_to_wire


@dataclass(frozen=True, slots=True)
class Standing:
    """`stamps` of all recordings that exist, in the order of the input; `gone` are those that cannot be looked at.

    `held` is what the parts hold of each, `complete` are those scored from end to end.
    """

    recordings: tuple[Path, ...]
    stamps: dict[Path, Stamp]
    gone: dict[Path, RequestFailed]
    parts: tuple[Part, ...]
    held: dict[str, list[ClipRange]]
    complete: frozenset[Path]

    def held_of(self, path: Path) -> Sequence[ClipRange]:
        """The clips of the recording that are scored, in order."""
        stamp = self.stamps.get(path)
        return () if stamp is None else self.held.get(stamp.file, ())

    @property
    def size_bytes(self) -> int:
        """The size of all recordings together."""
        return sum(stamp.size for stamp in self.stamps.values())


def take_stock(recordings: Sequence[Path], parts: Sequence[Part]) -> Standing:
    """Where the job stands, once the scores of recordings that changed are dropped.

    Raises
    ------
    rpc.errors.DiskFull, rpc.errors.PermissionRefused
        A part that has to be rewritten cannot be.
    """
    stamps: dict[Path, Stamp] = {}
    gone: dict[Path, RequestFailed] = {}
    for path in recordings:
        try:
            status = path.stat()
        except OSError as error:
            gone[path] = from_os_error(error, path, "read")
        else:
            stamps[path] = Stamp(path_to_wire(path), status.st_size, status.st_mtime_ns)
    kept = _without_changed(parts, stamps.values())
    held = scored_ranges(kept)
    complete = frozenset(path for path, stamp in stamps.items() if _is_complete(held.get(stamp.file, [])))
    return Standing(tuple(recordings), stamps, gone, kept, held, complete)


def check_same_basis(parts: Sequence[Part], basis: Basis) -> None:
    """Raise ConfigInvalid when `parts` were scored on another basis, naming what differs."""
    for part in parts:
        before = part.header.basis
        if before.fingerprint != basis.fingerprint:
            places = ", ".join(differences(_as_config(before.scoring), _as_config(basis.scoring))) or "the config"
            raise ConfigInvalid(
                f"The config has changed since this job began ({places}); its scores cannot be mixed with new ones.",
                path=part.path.parent.parent,
                hint="Change it back, or start a new job.",
            )
        if (before.weights, before.classes, before.layout) != (basis.weights, basis.classes, basis.layout):
            raise ConfigInvalid(
                "The model has changed since this job began; its scores cannot be mixed with new ones.",
                path=part.path.parent.parent,
                hint="Put the old model back, or start a new job.",
            )


def _is_complete(held: Sequence[ClipRange]) -> bool:
    return bool(held) and not missing_clips(held, held[0].total)


def _without_changed(parts: Sequence[Part], stamps: Any) -> tuple[Part, ...]:
    current = {stamp.file: stamp for stamp in stamps}
    changed = {
        held.recording.file
        for part in parts
        for held in part.header.ranges
        if held.recording.file in current and held.recording != current[held.recording.file]
    }
    kept = [drop_recordings(part, changed) for part in parts]
    return tuple(part for part in kept if part is not None)


def _as_config(scoring: dict[str, Any]) -> Config:
    """A config that asks for the same scores; where its results would go is left open."""
    return msgspec.convert({**scoring, "input": {}, "output": {**scoring["output"], "folder": "."}}, Config)
