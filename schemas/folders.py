"""folders/*: which recordings a folder holds."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from rpc.methods import Params
from schemas.base import Wire


class ScanParams(Params, frozen=True):
    """folders/scan: list the recordings below `folder`.

    `extensions` (with or without the dot, any case) replaces the default list of audio formats.
    `include_hidden` also lists hidden files and those of system folders. `probe` reads every header.
    With `partialResultToken` the files are streamed and left out of the result.
    """

    folder: Annotated[str, Meta(min_length=1)]
    recursive: bool = True
    extensions: tuple[str, ...] | None = None
    include_hidden: bool = False
    probe: bool = False


class ScannedFile(Wire, frozen=True):
    """One recording. The fields after `size_bytes` are known only where the scan probed.

    `problem` says that the file is readable, but not of the format that its extension names.
    """

    path: str
    size_bytes: int
    duration_seconds: float | None = None
    sample_rate: int | None = None
    recorded_at: str | None = None
    problem: str | None = None


class SkippedPath(Wire, frozen=True):
    """A file or folder that was left out, and why."""

    path: str
    reason: str


class Scan(Wire, frozen=True):
    """The recordings of a folder in natural order. `count` and `total_bytes` count streamed rows too."""

    folder: str
    files: tuple[ScannedFile, ...]
    count: int
    total_bytes: int
    skipped: tuple[SkippedPath, ...]
