"""What the files of a detection are called, so that a person finds them and every system allows it.

    Setophaga pusilla_0.87_S1_20240512_053000_723.5s

What lives here: names from class, score, recording and time, and which of them are free. What must not: writing.

A name is good on Windows, macOS and Linux alike, whichever of them writes it, because folders travel. Two names that
only differ in case or in how an accent is written are the same file on some of them, and count as one here.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable

from schemas.detections import ChosenDetection
from survey.paths import path_from_wire

_FORBIDDEN = frozenset('<>:"/\\|?*')
_NO_CHARACTERS = frozenset({"Cc", "Cn", "Co", "Cs", "Zl", "Zp"})
_BIDIRECTIONAL = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
)
_PART_BYTES = 60
_CUT = "~"


def stem_of(detection: ChosenDetection) -> str:
    """The name of a detection's files, without ending. A class of 300 characters is cut in its middle."""
    recording = path_from_wire(detection.path).stem
    parts = [] if detection.class_ is None else [_allowed(detection.class_)]
    parts += [] if detection.score is None else [f"{detection.score:.4g}"]
    stem = "_".join([*parts, _allowed(recording), f"{_seconds(detection.start_seconds)}s"])
    # A dot hides a file, a dash makes it an option; CON.something is the console, whatever follows.
    first = stem.split(".")[0].strip().lower()
    return f"_{stem}" if stem[0] in ".-" or first in _DEVICES else stem


class FreeNames:
    """Which names are free in a folder that holds files called `existing`."""

    def __init__(self, existing: Iterable[str]) -> None:
        self._taken = {_key(name) for name in existing}

    def claim(self, stem: str, endings: Iterable[str]) -> str:
        """`stem`, or the first of stem_2, stem_3, ... that is free with each of `endings`; taken from now on."""
        endings = tuple(endings)
        for number in itertools.count(1):
            candidate = stem if number == 1 else f"{stem}_{number}"
            keys = {_key(candidate + ending) for ending in endings}
            if not keys & self._taken:
                self._taken |= keys
                return candidate
        raise AssertionError


def _key(name: str) -> str:
    """The same for names that some file system takes for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _allowed(text: str) -> str:
    kept = "".join("_" if _is_odd(character) else character for character in text).strip(" .")
    return _shortened(kept) or "_"


def _is_odd(character: str) -> bool:
    return character in _FORBIDDEN or character in _BIDIRECTIONAL or unicodedata.category(character) in _NO_CHARACTERS


def _shortened(text: str) -> str:
    """`text` in at most _PART_BYTES bytes: its beginning and its end, in which recorders put the time."""
    encoded = text.encode("utf-8")
    if len(encoded) <= _PART_BYTES:
        return text
    half = (_PART_BYTES - len(_CUT)) // 2
    return encoded[:half].decode("utf-8", "ignore") + _CUT + encoded[-half:].decode("utf-8", "ignore")


def _seconds(seconds: float) -> str:
    """NOTE: to the millisecond."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
