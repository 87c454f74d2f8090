"""The recordings that a config names: files, folders and patterns become one list, each recording once.

Files come first, in the order in which they are named: whoever names them meant it. What folders and patterns hold
follows in natural order.

What lives here: that expansion, and the check whether recordings can be read. What must not: reading sound
(recordings.py), walking folders (walk.py).

A file that is named but missing stays in the list, so that a run reports it as a failure instead of
passing over it. A missing folder is an error: behind it stands a drive that is not plugged in, and a run
without its recordings would look complete.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, RequestFailed
from schemas.config import FileCheck, InputConfig
from survey.paths import natural_key, path_from_wire, path_to_wire
from survey.recordings import EXTENSIONS, open_recording
from survey.walk import Walk

_WILDCARDS = set("*?[]")


@dataclass(frozen=True, slots=True)
class Found:
    """The recordings in their order; what was wrong, each with its place in the config; what was odd."""

    recordings: tuple[Path, ...]
    problems: tuple[tuple[str, RequestFailed], ...]
    warnings: tuple[str, ...]


def find_recordings(chosen: InputConfig, token: CancelToken) -> tuple[Path, ...]:
    """The recordings that `chosen` names, as absolute paths: files as they are named, then all others, each once.

    Two paths of one file (a link, say) count as one recording, under the path found first.

    Raises
    ------
    FileMissing
        A folder does not exist, or there is no recording at all.
    PermissionRefused
        A folder cannot be listed.
    RequestCancelled
        The token is up.
    """
    found = look_for_recordings(chosen, token)
    if found.problems:
        raise found.problems[0][1]
    return found.recordings


def look_for_recordings(chosen: InputConfig, token: CancelToken) -> Found:
    """As `find_recordings`, but with everything that is wrong in one answer instead of an error."""
    problems: list[tuple[str, RequestFailed]] = []
    warnings: list[str] = []
    named = [path_from_wire(text, f"$.input.files[{index}]") for index, text in enumerate(chosen.files)]
    paths: list[Path] = []
    for index, text in enumerate(chosen.folders):
        place = f"$.input.folders[{index}]"
        try:
            inside = list(_below(path_from_wire(text, place), token, warnings))
        except RequestFailed as error:
            problems.append((place, error))
        else:
            paths += inside
            if not inside:
                warnings.append(f"There are no recordings in the folder {text}.")
    for text in chosen.patterns:
        matching = list(_matching(text, token))
        paths += matching
        if not matching:
            warnings.append(f"No recording matches the pattern {text}.")
    recordings = tuple(_each_once([*named, *_in_natural_order(paths)], token))
    if not recordings and not problems:
        problems.append(("$.input", _nothing_found(chosen)))
    return Found(recordings, tuple(problems), tuple(warnings))


def check_files(paths: Iterable[Path], token: CancelToken) -> FileCheck:
    """Sort recordings into those that can be scored and those that cannot, by opening each.

    `unsupported` are files that are no sound and do not claim to be; `unreadable` those that claim to be,
    but cannot be opened or hold no samples.
    """
    sorted_out: dict[str, list[str]] = {"valid": [], "missing": [], "unsupported": [], "unreadable": []}
    for path in paths:
        token.raise_if_cancelled()
        sorted_out[_verdict(path)].append(path_to_wire(path))
    return FileCheck(**{verdict: tuple(names) for verdict, names in sorted_out.items()})


def _verdict(path: Path) -> str:
    try:
        with open_recording(path) as recording:
            return "valid" if recording.frames > 0 else "unreadable"
    except FileMissing:
        return "missing"
    except RequestFailed:
        return "unreadable" if path.suffix.lower() in EXTENSIONS else "unsupported"


def _below(folder: Path, token: CancelToken, warnings: list[str]) -> Iterator[Path]:
    walk = Walk(folder, EXTENSIONS, token)
    for file in walk:
        yield file.path
    warnings.extend(skipped.reason for skipped in walk.skipped)


def _matching(pattern: str, token: CancelToken) -> Iterator[Path]:
    """The files that match; those of unknown endings only where the pattern itself spells the ending out."""
    ending = os.path.splitext(pattern)[1]  # noqa: PTH122  (a pattern is no path)
    spelt_out = bool(ending) and not _WILDCARDS & set(ending)
    for name in glob.iglob(str(path_from_wire(pattern, "$.input.patterns")), recursive=True):  # noqa: PTH207
        token.raise_if_cancelled()
        path = Path(name)
        if (spelt_out or path.suffix.lower() in EXTENSIONS) and path.is_file():
            yield path


def _each_once(paths: Iterable[Path], token: CancelToken) -> Iterator[Path]:
    """Every path whose file has not come by under another path."""
    seen: set[str] = set()
    real_folders: dict[Path, str] = {}
    for path in paths:
        token.raise_if_cancelled()
        real = _real_path(path, real_folders)
        if real not in seen:
            seen.add(real)
            yield path


def _real_path(path: Path, real_folders: dict[Path, str]) -> str:
    """`os.path.realpath`, with each folder resolved once: a season's survey has few folders and many files."""
    if path.is_symlink():
        return os.path.realpath(path)
    folder = path.parent
    if folder not in real_folders:
        real_folders[folder] = os.path.realpath(folder)
    return os.path.join(real_folders[folder], path.name)  # noqa: PTH118  (hot loop)


def _in_natural_order(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Sorted part by part: the recordings of a folder stay together, and `site2` comes before `site10`."""
    folders: dict[Path, tuple[object, ...]] = {}

    def key(path: Path) -> tuple[object, ...]:
        folder = path.parent
        if folder not in folders:
            folders[folder] = tuple(natural_key(part) for part in folder.parts)
        return (*folders[folder], natural_key(path.name))

    return tuple(sorted(paths, key=key))


def _nothing_found(chosen: InputConfig) -> FileMissing:
    if not (chosen.files or chosen.folders or chosen.patterns):
        return FileMissing("The config names no recordings: give `files`, `folders` or `patterns` in `input`.")
    where = ", ".join((*chosen.folders, *chosen.patterns)[:3])
    known = ", ".join(sorted(EXTENSIONS))
    path = chosen.folders[0] if chosen.folders else None
    return FileMissing(f"There is no audio in {where}.", path=path, hint=f"Looked for files ending in {known}.")
