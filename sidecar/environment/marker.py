"""The marker: what env/setup writes into an environment, last of all, to say that it is whole.

What lives here: its two forms, pending and finished. What must not: any judgement of them (verify.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import msgspec

from rpc.decoders import decoder_for
from survey.atomic import write_bytes

MARKER_NAME = "dipper-environment.json"


class Watched(msgspec.Struct, frozen=True, rename="camel"):
    """A file whose size and time (ns since 1970) tell at a glance whether an environment was touched."""

    path: str
    size: int
    mtime_ns: int


class Marker(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """State "pending" from the first moment of extraction, "ready" once everything was verified.

    `folder` is where the environment was set up: paths inside it name that folder. `archive_size` and
    `archive_mtime_ns` recognise the same archive without reading it. `bytes` counts the contents of `files` files.
    """

    state: Literal["pending", "ready"]
    schema_version: int = 1
    folder: str = ""
    platform: str = sys.platform
    archive_sha256: str = ""
    archive_url: str = ""
    archive_size: int = 0
    archive_mtime_ns: int = 0
    python_version: str = ""
    packages: dict[str, str] = {}
    files: int = 0
    bytes: int = 0
    watched: tuple[Watched, ...] = ()


def write_marker(folder: Path, marker: Marker) -> None:
    """Write the marker atomically, flushed to disk."""
    write_bytes(folder / MARKER_NAME, msgspec.json.format(msgspec.json.encode(marker), indent=1))


def read_marker(folder: Path) -> Marker | None:
    """The marker in `folder`; None where there is none, or none that can be understood."""
    try:
        decoded: Marker = decoder_for(Marker).decode((folder / MARKER_NAME).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return decoded


def has_marker(folder: Path) -> bool:
    """Whether env/setup made this folder, in whatever state it is."""
    return (folder / MARKER_NAME).is_file()


def watch(folder: Path, paths: list[str]) -> tuple[Watched, ...]:
    """Those of the paths that exist, as they are now."""
    found = []
    for path in paths:
        try:
            status = (folder / path).stat()
        except OSError:
            continue
        found.append(Watched(path, status.st_size, status.st_mtime_ns))
    return tuple(found)


def first_touched(folder: Path, marker: Marker) -> str | None:
    """A sentence about the first watched file that is gone or not as it was."""
    for watched in marker.watched:
        try:
            status = (folder / watched.path).stat()
        except OSError:
            return f"{watched.path} is missing."
        if (status.st_size, status.st_mtime_ns) != (watched.size, watched.mtime_ns):
            return f"{watched.path} was changed since the environment was set up."
    return None
