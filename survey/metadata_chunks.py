"""What recorders write into a WAV file beside the sound: GUANO, Wildlife Acoustics, bext and INFO chunks.

What lives here: one function a format, from a chunk's bytes to Metadata. What must not: files, file names, the
decision which source is believed (metadata.py).

Sources: GUANO 1.0 (guano-md.org); Broadcast Wave, EBU Tech 3285; INFO lists in RIFF (IBM, Microsoft, 1991); the
`wamd` chunk is not published, its fields are those that guano-py's wamd2guano knows; AudioMoth's comment is written by
setHeaderComment in AudioMoth-Firmware-Basic. A time carries an offset only where its source does.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """When, where and by what a recording was made, as far as one source tells.

    `recorded_at` is when it began. Degrees, decibels, degrees Celsius.
    """

    recorded_at: datetime | None = None
    time_source: str | None = None
    device: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    gain_db: float | None = None
    temperature_c: float | None = None
    comment: str | None = None


_AUDIOMOTH = re.compile(
    r"Recorded at (\d{1,2}:\d{2}:\d{2}(?:\.\d{1,6})?) (\d{2}/\d{2}/\d{4})(?: \(UTC([+-]\d{1,2}(?::?\d{2})?)?\))?"
)
_AUDIOMOTH_UTC = re.compile(r"Recorded at [\d:.]+ [\d/]+ \(UTC")
_RECORDER = re.compile(r"(?:AudioMoth|HydroMoth) [0-9A-F]{16}")
_AUDIOMOTH_TEMPERATURE = re.compile(r"temperature was (-?\d+(?:\.\d+)?)\s?C")
_OPENSOUNDSCAPE = "opso_metadata"
_WAMD_MODEL, _WAMD_SERIAL, _WAMD_TIME, _WAMD_GPS, _WAMD_NOTES = 0x01, 0x02, 0x05, 0x06, 0x0A
_BEXT_FIELDS = struct.Struct("<256s32s32s10s8s")


def read_guano(content: bytes) -> Metadata:
    """A `guan` chunk: lines of `Namespace|Key: value`."""
    fields: dict[str, str] = {}
    for line in _text(content).splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            fields.setdefault(key.strip(), value.strip())
    latitude, longitude = _position(fields.get("Loc Position", "").split())
    recorded_at = parse_time(fields.get("Timestamp", ""))
    note = fields.get("Note")
    return Metadata(
        recorded_at=recorded_at,
        time_source="guano" if recorded_at else None,
        device=_joined(fields.get("Make"), fields.get("Model"), fields.get("Serial")),
        latitude=latitude,
        longitude=longitude,
        gain_db=_guano_gain(fields),
        temperature_c=_number(fields.get("Temperature Ext", fields.get("Temperature Int"))),
        comment=note.replace("\\n", "\n") if note else None,
    )


def read_wildlife_acoustics(content: bytes) -> Metadata:
    """A `wamd` chunk: fields of a 16-bit id, a 32-bit length and the value."""
    fields: dict[int, str] = {}
    place = 0
    while place + 6 <= len(content):
        kind, size = struct.unpack_from("<HI", content, place)
        fields.setdefault(kind, _text(content[place + 6 : place + 6 + size]))
        place += 6 + size
    latitude, longitude = _wildlife_position(fields.get(_WAMD_GPS, ""))
    recorded_at = parse_time(fields.get(_WAMD_TIME, ""))
    return Metadata(
        recorded_at=recorded_at,
        time_source="wamd" if recorded_at else None,
        device=_joined(fields.get(_WAMD_MODEL), fields.get(_WAMD_SERIAL)),
        latitude=latitude,
        longitude=longitude,
        comment=fields.get(_WAMD_NOTES) or None,
    )


def read_broadcast(content: bytes) -> Metadata:
    """A `bext` chunk: description, originator, its reference, date, time. It knows no time zone."""
    if len(content) < _BEXT_FIELDS.size:
        return Metadata()
    description, originator, _, day, clock = (_text(field) for field in _BEXT_FIELDS.unpack_from(content))
    # Tech 3285 allows - _ : . and space between the numbers.
    recorded_at = parse_time(re.sub(r"[-_:. ]", "-", day) + "T" + re.sub(r"[-_:. ]", ":", clock))
    spoken = read_comment(description, originator)
    return Metadata(
        recorded_at=recorded_at,
        time_source="bext" if recorded_at else None,
        device=originator or None,
        temperature_c=spoken.temperature_c,
        comment=description or None,
    )


def read_info(content: bytes) -> Metadata:
    """A `LIST` chunk of kind INFO: ICMT is the comment, IART the recorder."""
    fields: dict[bytes, str] = {}
    place = 4
    while content[:4] == b"INFO" and place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        fields[name] = _text(content[place + 8 : place + 8 + size])
        place += 8 + size + size % 2
    return read_comment(fields.get(b"ICMT", ""), fields.get(b"IART", ""))


def read_comment(comment: str, artist: str = "") -> Metadata:
    """A comment as AudioMoth writes it, by itself or inside OpenSoundscape's; any other is kept as text."""
    comment, artist = _unwrapped(comment, artist)
    recorded_at = _audiomoth_time(comment)
    # An artist that is no recorder is a person or an institution.
    device = _RECORDER.search(f"{artist} {comment}")
    temperature = _AUDIOMOTH_TEMPERATURE.search(comment)
    return Metadata(
        recorded_at=recorded_at,
        time_source="audiomoth" if recorded_at else None,
        device=device.group() if device else None,
        temperature_c=float(temperature.group(1)) if temperature else None,
        comment=comment or None,
    )


def parse_time(text: str) -> datetime | None:
    """An ISO 8601 date and time, with or without an offset; None for anything else."""
    text = text.strip()
    if len(text) < len("2024-05-12T05:30:00"):
        return None
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text)
    return None


def parse_offset(text: str) -> timezone | None:
    """A UTC offset: "", "Z", "+2", "-0400", "+05:30". None when it is none, or out of range."""
    if text in ("", "Z"):
        return UTC
    match = re.fullmatch(r"([+-])(\d{1,2}):?(\d{2})?", text)
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-offset if match[1] == "-" else offset) if offset <= timedelta(hours=14) else None


def _audiomoth_time(comment: str) -> datetime | None:
    match = _AUDIOMOTH.search(comment)
    if match is None:
        return None
    pattern = "%H:%M:%S.%f %d/%m/%Y" if "." in match[1] else "%H:%M:%S %d/%m/%Y"
    with contextlib.suppress(ValueError):
        moment = datetime.strptime(f"{match[1]} {match[2]}", pattern)
        # The first firmware wrote no zone; later ones write (UTC), (UTC+2), (UTC-3:30).
        zone = parse_offset(match[3] or "") if _AUDIOMOTH_UTC.search(comment) else None
        return moment.replace(tzinfo=zone)
    return None


def _unwrapped(comment: str, artist: str) -> tuple[str, str]:
    """The recorder's own comment out of what OpenSoundscape wraps around it when it saves a recording."""
    if not comment.startswith(_OPENSOUNDSCAPE):
        return comment, artist
    with contextlib.suppress(json.JSONDecodeError, AttributeError):
        fields: dict[str, Any] = json.loads(comment.removeprefix(_OPENSOUNDSCAPE))
        return str(fields.get("comment") or ""), str(fields.get("artist") or artist)
    return comment, artist


def _guano_gain(fields: dict[str, str]) -> float | None:
    """Wildlife Acoustics keeps the gain of each channel in a JSON list; others write a number."""
    with contextlib.suppress(json.JSONDecodeError, KeyError, IndexError, TypeError):
        return _number(str(json.loads(fields["WA|Song Meter|Audio settings"])[0]["gain"]))
    return _number(fields.get("Gain"))


def _wildlife_position(text: str) -> tuple[float | None, float | None]:
    """`WGS84, 42.32, N, 71.32, W` of Song Meters, or `WGS84, 42.32, -71.32` of the EM Touch."""
    words = [word.strip() for word in text.split(",")]
    if len(words) >= 5 and words[2] in ("N", "S") and words[4] in ("E", "W"):
        latitude, longitude = _position([words[1], words[3]])
        south, west = words[2] == "S", words[4] == "W"
        return (
            -latitude if south and latitude is not None else latitude,
            -longitude if west and longitude is not None else longitude,
        )
    return _position(words[1:3])


def _position(words: list[str]) -> tuple[float | None, float | None]:
    """Latitude and longitude in degrees, or None for both."""
    numbers = [_number(word) for word in words[:2]]
    if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None:
        latitude, longitude = numbers[0], numbers[1]
        if abs(latitude) <= 90 and abs(longitude) <= 180:
            return latitude, longitude
    return None, None


def _number(text: str | None) -> float | None:
    match = re.match(r"[+-]?\d+(?:\.\d+)?", (text or "").strip())
    return float(match.group()) if match else None


def _joined(*words: str | None) -> str | None:
    return " ".join(word.strip() for word in words if word and word.strip()) or None


def _text(content: bytes) -> str:
    """UTF-8 where it is, else Latin-1; up to the first NUL."""
    content = content.split(b"\0", 1)[0]
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        return content.decode("latin-1").strip()
