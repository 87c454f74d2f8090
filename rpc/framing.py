"""Bytes to frames and back. Incremental, limited in size, linear in time.

What lives here: where a message starts and ends. What must not: I/O, threads, or what a message means.

The laws:

1. Any bytes in any chunking give the same events; nothing raises, and the time is linear in the bytes.
2. Memory is bounded by the limit plus one chunk: what is too long is drained, not kept.
3. Undecided, each first byte decides: `{` or `[` is a line, `content-` a header, anything else a line that
   somebody has to be told about. The first valid frame locks the framing.
4. In header mode a bad length loses the framing: nothing after it can be trusted, and nothing is read.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Literal

import msgspec

Framing = Literal["line", "header"]

MAX_HEADER_BYTES = 8 * 1024
_AT_ONCE = 32
_PLAIN_BYTES = 64 * 1024
"""How much of the buffer is searched for short messages at once; a longer one is cut by itself."""
_WAIT_BYTES = 64 * 1024
"""A body up to this length waits in the buffer, with its header, until it is complete."""
_KEEP_BYTES = 4096
"""A part of a body this long is kept as it came; shorter ones are gathered, for each has an overhead of its own."""
_WHITE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_HEADER_START = b"content-"
_PLAIN_BLOCK = re.compile(rb"Content-Length: ([0-9]{1,15})\r\n\r\n")
_PLAIN_BLOCK_BYTES = len("Content-Length: ") + 15 + 4
_LEADING_WHITE = re.compile(rb"[ \t\r\n]*")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:[ \t]*(.*?)[ \t]*\Z", re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,15}\Z")


class Frames(msgspec.Struct, frozen=True):
    """Messages, unread: those that were complete together. `framing` is how a reply to them must be framed."""

    bodies: tuple[bytes, ...]
    framing: Framing


class Oversized(msgspec.Struct, frozen=True):
    """A message longer than the limit, drained; the stream is in sync after it."""

    framing: Framing


class FramingLost(msgspec.Struct, frozen=True):
    """A header block without a usable length. No event follows."""

    reason: str
    framing: Framing = "header"


Event = Frames | Oversized | FramingLost


HEADER = b"Content-Length: %d\r\n\r\n"
"""What is written before a body, with its length."""


def frame_edges(body: bytes, framing: Framing) -> tuple[bytes, bytes]:
    """What to write before and after `body`, apart from it so that a long one need not be copied."""
    if framing == "line":
        return b"", b"\n"
    return HEADER % len(body), b""


class Decoder:
    """Cuts a stream into frames. Feed it chunks; draw its events."""

    def __init__(self, framing: Literal["auto"] | Framing = "auto", limit: int = 64 * 2**20) -> None:
        self.framing: Framing | None = None if framing == "auto" else framing
        self.lost = False
        self._limit = limit
        self._buffer = bytearray()
        self._scanned = 0
        self._wanted = 0  # from a buffer shorter than this nothing can be cut
        self._parts: list[bytes | bytearray] = []  # of a body that has begun; what follows is in the buffer
        self._missing = 0
        self._skip = 0
        self._skip_line = False
        self._at_start = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes, cut when they are drawn. Draw them all before the next feed."""
        if self._missing:
            chunk = self._collect(chunk)
            if not self._missing and self._parts:
                yield self._finished_body()
        self._buffer += chunk
        if len(self._buffer) < self._wanted:
            return
        self._wanted = 0
        while self._buffer and not self.lost:
            bodies = self._plain_bodies() if self.framing == "header" else ()
            if bodies:
                yield Frames(bodies, "header")
            before = len(self._buffer)
            event = self._next()
            if event is not None:
                yield event
            elif not bodies and len(self._buffer) == before:
                return
        if self.lost:
            self._buffer.clear()

    def end(self) -> Iterator[Event]:
        """The events that the end of the stream completes: a last line may lack its newline, a header may not."""
        yield from self.feed(b"")
        rest = bytes(self._buffer).strip(_WHITE)
        if self.lost or self._skip_line or self._skip:
            return
        if self._missing or (rest and (self.framing == "header" or self._looks_like_header())):
            yield self._lose("The input ended inside a message.")
        elif rest:
            yield self._line(rest)
        self._buffer.clear()

    def _next(self) -> Event | None:
        """Cut one event, or some drained or skipped bytes, off the buffer."""
        if self._skip or self._skip_line:
            self._drain()
            return None
        if self._scanned == 0 and not self._skip_white():
            return None
        if self.framing == "header" or self._looks_like_header():
            return self._header()
        return self._next_line()

    def _skip_white(self) -> bool:
        """Drop white space between messages and a BOM at the start; True when a message's first byte is there."""
        buffer = self._buffer
        if self._at_start:
            if _BOM.startswith(buffer[:3]) and len(buffer) < len(_BOM):
                return False
            self._at_start = False
            if buffer.startswith(_BOM):
                del buffer[: len(_BOM)]
        if buffer and buffer[0] in _WHITE:
            del buffer[: _white_length(buffer)]
        return bool(buffer)

    def _looks_like_header(self) -> bool:
        start = bytes(self._buffer[: len(_HEADER_START)]).lower()
        return self.framing is None and start == _HEADER_START

    def _could_become_header(self) -> bool:
        return _HEADER_START.startswith(bytes(self._buffer[: len(_HEADER_START)]).lower())

    # Lines

    def _next_line(self) -> Event | None:
        if self.framing is None and self._could_become_header():
            return None
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            if self._scanned <= self._limit:
                return None
            self._skip_line = True
            self._cut(self._scanned)
            return Oversized("line")
        body = self._take(0, end, end + 1)
        if len(body) > self._limit:
            return Oversized("line")
        return self._line(body)

    def _line(self, body: bytes) -> Frames:
        body = body.rstrip(_WHITE)
        if self.framing is None and body[:1] in (b"{", b"[") and _is_json(body):
            self.framing = "line"
        return Frames((body,), "line")

    # Headers

    def _plain_bodies(self) -> tuple[bytes, ...]:
        """What nearly every client sends, as far as it is complete: a length and a body, and nothing else."""
        if self._skip or self._scanned:
            return ()
        bodies: list[bytes] = []
        start, limit = 0, self._limit
        with memoryview(self._buffer) as view:
            data = bytes(view[:_PLAIN_BYTES])
        while len(bodies) < _AT_ONCE and (body := data.find(b"\r\n\r\n", start, start + _PLAIN_BLOCK_BYTES) + 4) > 3:
            length = _plain_length(data[start:body])
            if length is None or body + length > len(data) or length > limit:
                break
            start = body + length
            bodies.append(data[body:start])
        if start:
            self._cut(start)
        return tuple(bodies)

    def _header(self) -> Event | None:
        plain = _PLAIN_BLOCK.match(self._buffer)
        if plain is None:
            return self._read_block()
        start, length = plain.end(), int(plain[1])
        del plain  # a match holds the buffer, which could not shrink then
        return self._start_body(start, length)

    def _read_block(self) -> Event | None:
        """Read a block that has more than a length in it, or is not complete yet."""
        while (end := self._buffer.find(b"\n", self._scanned, MAX_HEADER_BYTES)) >= 0:
            line = bytes(self._buffer[self._scanned : end]).rstrip(b"\r")
            if not line:
                return self._header_block(self._take(0, self._scanned, end + 1))
            if not _FIELD.match(line):
                return self._lose("A header line has no name.")
            self._scanned = end + 1
        if len(self._buffer) >= MAX_HEADER_BYTES:
            return self._lose(f"A header block is longer than {MAX_HEADER_BYTES} bytes.")
        return None

    def _header_block(self, block: bytes) -> Event | None:
        length = _content_length(block)
        if isinstance(length, str):
            return self._lose(length)
        return self._start_body(0, length)

    def _start_body(self, start: int, length: int) -> Event | None:
        """A block has told the length of its body, which starts at `start` of the buffer."""
        self.framing = "header"
        if start + length <= len(self._buffer) and length <= self._limit:
            return Frames((self._take(start, start + length, start + length),), "header")
        if start and length <= _WAIT_BYTES and length <= self._limit:
            self._wanted = start + length
            return None
        self._cut(start)
        if length > self._limit:
            self._skip = length
            return Oversized("header")
        self._missing = length
        rest = self._collect(bytes(self._buffer))
        self._buffer[:] = rest
        return None

    def _collect(self, chunk: bytes) -> bytes:
        """Keep what belongs to the body that has begun, without copying what is large; the rest comes back."""
        part, rest = chunk[: self._missing], chunk[self._missing :]
        self._missing -= len(part)
        if len(part) >= _KEEP_BYTES:
            self._parts.append(part)
        elif self._parts and isinstance(self._parts[-1], bytearray):
            self._parts[-1] += part
        else:
            self._parts.append(bytearray(part))
        return rest

    def _finished_body(self) -> Frames:
        body = b"".join(self._parts)
        self._parts.clear()
        return Frames((body,), "header")

    def _drain(self) -> None:
        """Drop what is left of a message that was too long."""
        if self._skip_line:
            end = self._buffer.find(b"\n")
            self._skip_line = end < 0
            count = len(self._buffer) if end < 0 else end + 1
        else:
            count = min(self._skip, len(self._buffer))
            self._skip -= count
        self._cut(count)

    def _lose(self, reason: str) -> FramingLost:
        self.lost = True
        return FramingLost(reason)

    # The buffer

    def _take(self, start: int, end: int, cut: int) -> bytes:
        """The bytes from `start` to `end`; the buffer then starts at `cut`."""
        with memoryview(self._buffer) as view:
            body = bytes(view[start:end])
        self._cut(cut)
        return body

    def _cut(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = 0


@functools.lru_cache(maxsize=4096)
def _plain_length(block: bytes) -> int | None:
    """The length that a block tells which holds nothing else."""
    plain = _PLAIN_BLOCK.fullmatch(block)
    return int(plain[1]) if plain else None


def _content_length(block: bytes) -> int | str:
    """The length that a header block tells, or why it tells none."""
    lengths: set[bytes] = set()
    for line in block.split(b"\n"):
        field = _FIELD.match(line.rstrip(b"\r"))
        if field is not None and field[1].lower() == b"content-length":
            lengths.add(field[2])
    if len(lengths) != 1:
        return "A header block needs one Content-Length."
    (length,) = lengths
    return int(length) if _LENGTH.match(length) else "The Content-Length is not a number of bytes."


def _white_length(buffer: bytearray) -> int:
    found = _LEADING_WHITE.match(buffer)  # gone on return: a match holds the buffer, which could not shrink then
    return found.end() if found else 0


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
