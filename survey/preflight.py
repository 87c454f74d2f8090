"""Can a run with this config start? Everything that can be known before any model is loaded.

What lives here: the checks that look at recordings, folders and files. What must not: the checks of the config
by itself (config.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, FileMissing, RequestFailed
from schemas.config import (
    CheckpointModel,
    Config,
    ConfigProblem,
    FileCheck,
    OnnxModel,
    PythonModel,
    Validation,
)
from survey.config import check_config, contradictions, parse_config, raise_for, read_document
from survey.inputs import check_files, look_for_recordings
from survey.migrate import migrate
from survey.model_config import refuse_untrusted
from survey.own_results import caught_result
from survey.paths import path_from_wire
from survey.room import Room, known_results, look_at_room
from survey.writable import refusal_to_write

Problem = tuple[str, RequestFailed]

_FOLDER = "$.output.folder"


@dataclass(frozen=True, slots=True)
class Preflight:
    """The recordings that would be scored; what stands in the way, each with its place in the config.

    `room` is what the results need on the disk; None where only the model will tell how many classes there are.
    """

    recordings: tuple[Path, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    room: Room | None


def preflight(config: Config, token: CancelToken) -> Preflight:
    """Look at everything that a run with `config` (normalised) needs before its model."""
    found = look_for_recordings(config.input, token)
    problems = [*_model_problems(config), *found.problems, *_all_missing(found.recordings), *_output_problems(config)]
    room = _room(config, found.recordings) if not problems else None
    refusal = room.refusal(path_from_wire(config.output.folder)) if room is not None else None
    if refusal is not None:
        problems.append((_FOLDER, refusal))
    return Preflight(found.recordings, tuple(problems), found.warnings, room)


def check_ready(config: Config, token: CancelToken, *, trust: bool) -> tuple[Path, ...]:
    """The recordings of a run that can start. `trust`: whether it may run code that comes with the model.

    Raises
    ------
    ConfigInvalid, FileMissing, PermissionRefused, ModelLoadFailed, DiskFull
        What stands in the way, the first of it.
    """
    raise_for(list(contradictions(config)))
    refuse_untrusted(config.model, trust=trust)
    looked = preflight(config, token)
    if looked.problems:
        raise looked.problems[0][1]
    return looked.recordings


def validate_document(document: Any, base: Path, files: Iterable[Path], token: CancelToken) -> Validation:
    """Every fault of a config, as decoded from JSON; relative paths start from `base`. `files` are checked too."""
    try:
        document, dropped = migrate(document, base)
    except RequestFailed as error:
        return _refused([ConfigProblem(path="$", message=error.message)])
    faults = check_config(document)
    if faults:
        return _refused(faults, dropped)
    config = parse_config(document, base)
    looked = preflight(config, token)
    errors = tuple(ConfigProblem(path=place, message=error.message) for place, error in looked.problems)
    check = check_files(dict.fromkeys((*looked.recordings, *files)), token)
    judged = _judged(errors, (*dropped, *looked.warnings, *_words_on_trust(config)), check)
    return judged if looked.room is None else _with_room(judged, looked.room)


def validate_file(path: Path, files: Iterable[Path], token: CancelToken) -> Validation:
    """The same for a config file. Raises FileMissing or PermissionRefused when it cannot be read."""
    try:
        document = read_document(path)
    except ConfigInvalid as error:
        return _refused([ConfigProblem(path="$", message=error.message)])
    return validate_document(document, path.parent, files, token)


def validate_files(files: Iterable[Path], token: CancelToken) -> Validation:
    """Recordings alone."""
    return _judged((), (), check_files(dict.fromkeys(files), token))


def _judged(errors: tuple[ConfigProblem, ...], warnings: tuple[str, ...], check: FileCheck) -> Validation:
    """A run can start when nothing is wrong with the config and at least one recording can be scored."""
    bad = len(check.missing) + len(check.unsupported) + len(check.unreadable)
    if bad:
        warnings = (*warnings, f"{bad} of {bad + len(check.valid)} recordings cannot be scored.")
    return Validation(valid=not errors and bool(check.valid), errors=errors, warnings=warnings, files=check)


def _refused(faults: list[ConfigProblem], warnings: tuple[str, ...] = ()) -> Validation:
    return Validation(valid=False, errors=tuple(faults), warnings=warnings)


def _model_problems(config: Config) -> Iterator[Problem]:
    if isinstance(config.model, CheckpointModel | OnnxModel | PythonModel):
        path = path_from_wire(config.model.path, "$.model.path")
        if not path.exists():
            yield "$.model.path", FileMissing(f"There is no model file {path}.", path=path)
        elif path.is_dir():
            yield "$.model.path", FileMissing(f"{path} is a folder, not a model file.", path=path)


def _words_on_trust(config: Config) -> Iterator[str]:
    try:
        refuse_untrusted(config.model, trust=False)
    except RequestFailed as error:
        yield f"{error.message} {error.hint}"


def _all_missing(recordings: Sequence[Path]) -> Iterator[Problem]:
    """One that is missing is reported by the run; without any there is nothing to run."""
    if recordings and not any(path.exists() for path in recordings):
        first, others = recordings[0], len(recordings) - 1
        more = f", nor are {others} others" if others else ""
        yield "$.input.files", FileMissing(f"There is no recording {first}{more}.", path=first)


def _output_problems(config: Config) -> Iterator[Problem]:
    wanted = path_from_wire(config.output.folder, _FOLDER)
    refusal = refusal_to_write(wanted)
    if refusal is not None:
        yield _FOLDER, refusal
    for index, pattern in enumerate(config.input.patterns):
        place = f"$.input.patterns[{index}]"
        caught = caught_result(path_from_wire(pattern, place), wanted)
        if caught is not None:
            message = f"{place}: {pattern} would match results of this very job, {caught.name} for one, in {wanted}."
            yield (
                place,
                ConfigInvalid(message, path=wanted, hint="Choose an output folder outside, or another pattern."),
            )


def _room(config: Config, recordings: Sequence[Path]) -> Room | None:
    results = known_results(config)
    with contextlib.suppress(OSError):
        return None if results is None else look_at_room(path_from_wire(config.output.folder), results, recordings)
    return None


def _with_room(judged: Validation, room: Room) -> Validation:
    return msgspec.structs.replace(judged, needed_bytes=room.needed_bytes, free_bytes=room.free_bytes)
