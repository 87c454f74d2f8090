"""What JSON cannot say, said: big integers, file names that are no text, NaN.

What lives here: the encoder. What must not: the shape of any message.

* NaN and infinities become null (the encoder does so itself).
* Integers beyond 2^53 become strings: JavaScript would round them.
* A file name that is not UTF-8 becomes a percent-encoded file: URI, other such text gets U+FFFD.
"""

from __future__ import annotations

import os
import re
from typing import Any

import msgspec

MAX_SAFE_INTEGER = 2**53
_LONG_INTEGER = re.compile(rb"[:,\[]-?[0-9]{16,}[,\]}]")
_WORTH_A_WALK = 2048
_WALK_LIMIT = 400
# Looking at one value takes as long as searching so many bytes.
_BYTES_PER_STEP = 100

_encoder = msgspec.json.Encoder()


def encode_json(value: Any) -> bytes:
    """`value` as compact JSON that any peer can read back."""
    try:
        body = _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_readable(value))
    if _may_hold_long_integer(value, body):
        return _encoder.encode(_readable(value))
    return body


def file_uri(path: str) -> str:
    """An absolute path as a file: URI, each byte that is not plain ASCII percent-encoded."""
    from urllib.parse import quote_from_bytes

    return "file://" + quote_from_bytes(os.fsencode(path), safe="/")


def path_of(text: str) -> str:
    """The path that a client means: a file: URI, as we send one for a name that is no text, or the text itself."""
    if not text.startswith("file:///"):
        return text
    from urllib.parse import unquote_to_bytes

    return os.fsdecode(unquote_to_bytes(text.removeprefix("file://")))


def _may_hold_long_integer(value: Any, body: bytes) -> bool:
    """Looking through megabytes of sound for a digit costs more than encoding it: small results are walked."""
    if len(body) > _WORTH_A_WALK:
        budget = [max(_WALK_LIMIT, len(body) // _BYTES_PER_STEP)]
        found = _walk(value, budget)
        if budget[0] > 0:
            return found
    return _LONG_INTEGER.search(body) is not None


def _walk(value: Any, budget: list[int]) -> bool:
    """Whether an integer beyond 2^53 is in `value`; `budget` counts down to 0 where it is too large to tell."""
    budget[0] -= 1
    if budget[0] <= 0:
        return False
    if isinstance(value, int):
        return abs(value) > MAX_SAFE_INTEGER
    if isinstance(value, msgspec.Struct):
        return any(_walk(getattr(value, name), budget) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return any(_walk(part, budget) for part in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_walk(part, budget) for part in value)
    return False


def _readable(value: Any) -> Any:
    """`value` with everything replaced that JSON or a peer would stumble over."""
    return _replace(msgspec.to_builtins(value, builtin_types=(bytes, msgspec.Raw)))


def _replace(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) > MAX_SAFE_INTEGER else value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_replace(key): _replace(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace(part) for part in value]
    return value


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return file_uri(text) if os.path.isabs(text) else _lossy(text)  # noqa: PTH117 - pathlib costs a late import
    return text


def _lossy(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
