"""What may be said about a message or in a log line: no secrets, no sound.

What lives here: hiding, as pure functions of text. What must not: logging, tracing.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

_MAX_READ_BYTES = 64 * 1024
_MAX_SHOWN = 2000
_MAX_TEXT = 200
_SECRET_NAME = re.compile(r"token$|passw|secret|api_?key|authorization|credential|cookie", re.IGNORECASE)
_PROTOCOL_TOKENS = frozenset({"workDoneToken", "partialResultToken"})
_SECRET_WORD = re.compile(
    r"""(?ix)
    ( \b [\w-]* (?: token | passw(?:or)?d | secret | api[_-]?key | authorization ) ['"]? \s* [:=] \s* ['"]?
      (?: bearer\s+ | basic\s+ )? )
    [^\s'",&;})\]]+"""
)
_USER_IN_URL = re.compile(r"(://)[^/\s@]+@")
_QUERY_IN_URL = re.compile(r"(https?://[^\s?'\"]+\?)[^\s'\"]+", re.IGNORECASE)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}")


def redact_line(text: str) -> str:
    """A log line without secrets and without long runs of encoded bytes."""
    if len(text) >= _MAX_TEXT:
        text = _LONG_RUN.sub(lambda run: f"<{len(run[0])} characters>", text)
    if "://" in text:
        text = _QUERY_IN_URL.sub(r"\1<hidden>", _USER_IN_URL.sub(r"\1<hidden>@", text))
    return _SECRET_WORD.sub(r"\1<hidden>", text)


def redact_json(body: bytes | msgspec.Raw) -> str:
    """Params or a result, shown: short, without secrets, sound or pictures."""
    size = len(memoryview(body))
    if size > _MAX_READ_BYTES:
        return f"<{size} bytes>"
    try:
        shown = msgspec.json.encode(_shown(msgspec.json.decode(body))).decode()
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return f"<{size} bytes>"
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}... ({len(shown)} characters)"


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "<hidden>" if _is_secret(key) else _shown(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shown(part) for part in value]
    if isinstance(value, str):
        return redact_line(value) if len(value) <= _MAX_TEXT else f"<{len(value)} characters>"
    return value


def _is_secret(name: str) -> bool:
    return name not in _PROTOCOL_TOKENS and _SECRET_NAME.search(name) is not None
