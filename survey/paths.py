"""Paths as they cross the wire and back: text, also for file names that are not valid UTF-8.

What lives here: the two conversions and natural order. What must not: looking at the disk.

A name that is not UTF-8 cannot stand in JSON; it crosses as a percent-encoded `file:` URI. Such a URI is
accepted wherever a path is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from rpc.errors import InvalidParams

_URI = "file://"
_DIGITS = re.compile(r"[0-9]+")


def path_from_wire(text: str, field: str = "$.path") -> Path:
    """The absolute path that `text` (a path, or a `file:` URI) names. Links are not followed.

    Raises
    ------
    rpc.errors.InvalidParams
        With `field` as the place, when no file can have this name.
    """
    if text.startswith(_URI):
        text = _path_of_uri(text)
    if "\0" in text:
        raise InvalidParams(f"{field}: a file name cannot contain a NUL character.")
    return Path(os.path.abspath(text))  # noqa: PTH100  (Path.absolute keeps "..", resolve follows links)


def path_to_wire(path: Path | str) -> str:
    """`path` as text that is valid in JSON."""
    text = os.fspath(path)
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _URI + quote_from_bytes(os.fsencode(text))
    return text


def natural_key(name: str) -> tuple[str, str]:
    """Sort key under which `site2` comes before `site10`; case matters only between names otherwise equal."""
    # A number is replaced by its length and itself, so that text order is its order.
    return _DIGITS.sub(_counted, name.casefold()), name


def _counted(digits: re.Match[str]) -> str:
    number = digits.group().lstrip("0")
    return f"{len(number):03d}{number}"


def _path_of_uri(uri: str) -> str:
    text = os.fsdecode(unquote_to_bytes(uri.removeprefix(_URI)))
    # On Windows the URI of C:\sound reads file:///C:/sound.
    return text[1:] if re.match(r"/[A-Za-z]:", text) and os.name == "nt" else text
