"""Can a run with this config start? Everything that can be known before any model is loaded.

What lives here: the checks that look at recordings, folders and files. What must not: the checks of the config
by itself (config.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, FileMissing, PermissionRefused, RequestFailed
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
from survey.paths import path_from_wire


@dataclass(frozen=True, slots=True)
class Preflight:
    """The recordings that would be scored; what stands in the way, each with its place in the config."""

    recordings: tuple[Path, ...]
    problems: tuple[tuple[str, RequestFailed], ...]
    warnings: tuple[str, ...]


def preflight(config: Config, token: CancelToken) -> Preflight:
    """Look at everything that a run with `config` (normalised) needs before its model."""
    found = look_for_recordings(config.input, token)
    problems = (*_model_problems(config), *found.problems, *_output_problems(config))
    return Preflight(found.recordings, problems, found.warnings)


def check_ready(config: Config, token: CancelToken) -> tuple[Path, ...]:
    """The recordings of a run that can start.

    Raises
    ------
    ConfigInvalid, FileMissing, PermissionRefused
        What stands in the way, the first of it.
    """
    raise_for(list(contradictions(config)))
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
    looked = preflight(parse_config(document, base), token)
    errors = tuple(ConfigProblem(path=place, message=error.message) for place, error in looked.problems)
    check = check_files(dict.fromkeys((*looked.recordings, *files)), token)
    return _judged(errors, (*dropped, *looked.warnings), check)


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


def _model_problems(config: Config) -> Iterator[tuple[str, RequestFailed]]:
    if isinstance(config.model, CheckpointModel | OnnxModel | PythonModel):
        path = path_from_wire(config.model.path, "$.model.path")
        if not path.exists():
            yield "$.model.path", FileMissing(f"There is no model file {path}.", path=path)
        elif path.is_dir():
            yield "$.model.path", FileMissing(f"{path} is a folder, not a model file.", path=path)


def _output_problems(config: Config) -> Iterator[tuple[str, RequestFailed]]:
    """Whether the output folder, or the nearest folder above it that exists, can be written."""
    wanted = path_from_wire(config.output.folder, "$.output.folder")
    existing = next((folder for folder in (wanted, *wanted.parents) if folder.exists()), None)
    if existing is None:
        yield "$.output.folder", FileMissing(f"There is no drive or folder for {wanted}.", path=wanted)
    elif not existing.is_dir():
        yield (
            "$.output.folder",
            PermissionRefused(f"{existing} is a file, so no folder can be made there.", path=wanted),
        )
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield "$.output.folder", PermissionRefused(f"No permission to write in {existing}.", path=wanted)
