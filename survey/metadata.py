"""When, where and by what a recording was made: from its header, else from its name.

What lives here: which source is believed, and the patterns of file names. What must not: the chunks' formats
(metadata_chunks.py), decoding sound.

Each fact comes from the first source that has it: GUANO, Wildlife Acoustics' chunk, AudioMoth's comment, bext, the
file's name. The file's modification time is none of them: copying changes it. A time zone is never guessed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from survey.metadata_chunks import (
    Metadata,
    parse_offset,
    read_broadcast,
    read_comment,
    read_guano,
    read_info,
    read_wildlife_acoustics,
)
from survey.recordings import Recording

_CHUNK_READERS: tuple[tuple[bytes, Callable[[bytes], Metadata]], ...] = (
    (b"guan", read_guano),
    (b"wamd", read_wildlife_acoustics),
    (b"LIST", read_info),
    (b"bext", read_broadcast),
)
_NAMED_TIME = re.compile(
    r"(?<!\d)(\d{4})([-_]?)(\d{2})\2(\d{2})[T_ -]{1,2}(\d{2})([-_:]?)(\d{2})\6(\d{2})(?:\.(\d{1,6}))?(?!\d)"
    r"(?:[_ ]?(Z|UTC|[+-]\d{2}:?\d{2})(?![0-9A-Za-z]))?"
)
_HEX_TIME = re.compile(r"[0-9A-Fa-f]{8}")
_FIRST_AUDIOMOTH = datetime(2014, 1, 1, tzinfo=UTC).timestamp()
_LAST_HEX_TIME = 0x7FFFFFFF


def read_metadata(recording: Recording) -> Metadata:
    """All that the header and the name of `recording` tell."""
    sources = [reader(content) for name, reader in _CHUNK_READERS for content in recording.read_chunks(name)]
    sources.append(read_comment(recording.comment, recording.artist))
    sources.append(time_from_name(recording.path))
    return _first_of_each(sources)


def time_from_name(path: Path) -> Metadata:
    """The time in a file's name.

    Known are a date and a time anywhere in the name (`S1_20240512_053000`, `SMM03873_20220719_000000`,
    `20240512T053000Z`, `SwiftOne_20220719_000000_-0400`, `OWL_1_2022-07-19_T00-00-00`), with an offset only where it is
    written there, and the eight hexadecimal digits of early AudioMoths, which count seconds of UTC.
    """
    recorded_at = _hex_time(path.stem) or _date_and_time(path.stem)
    return Metadata(recorded_at=recorded_at, time_source="fileName" if recorded_at else None)


def _date_and_time(name: str) -> datetime | None:
    for match in _NAMED_TIME.finditer(name):
        year, _, month, day, hour, _, minute, second, fraction, zone = match.groups()
        with contextlib.suppress(ValueError):
            moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
            moment = moment.replace(microsecond=int((fraction or "0").ljust(6, "0")))
            return moment.replace(tzinfo=parse_offset("Z" if zone == "UTC" else zone)) if zone else moment
    return None


def _hex_time(name: str) -> datetime | None:
    if not _HEX_TIME.fullmatch(name):
        return None
    seconds = int(name, 16)
    # A name of eight decimal digits, a date for example, lies before the first AudioMoth.
    return datetime.fromtimestamp(seconds, UTC) if _FIRST_AUDIOMOTH <= seconds <= _LAST_HEX_TIME else None


def _first_of_each(sources: list[Metadata]) -> Metadata:
    """Each field from the first source that has it; the time's source with the time, the place as a whole."""
    found: dict[str, Any] = {}
    for source in sources:
        told = {field.name: getattr(source, field.name) for field in fields(Metadata)}
        found.update({name: value for name, value in told.items() if value is not None and name not in found})
    return Metadata(**found)
