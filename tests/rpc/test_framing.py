"""Framing: the same table of streams fed whole, byte by byte and in any pieces; properties over any bytes."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc.framing import Decoder, Event, Frames, FramingLost, Oversized, frame_edges

LIMIT = 40
A = b'{"a":1}'
B = b'["b"]'
BOM = b"\xef\xbb\xbf"


def events(chunks, framing="auto", limit=LIMIT) -> list[Event]:
    """What comes out, each message by itself: which were complete together depends on the chunks."""
    decoder = Decoder(framing, limit)
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [one for event in [*found, *decoder.end()] for one in singly(event)]


def singly(event: Event) -> list[Event]:
    return [Frames((body,), event.framing) for body in event.bodies] if isinstance(event, Frames) else [event]


def line(body: bytes) -> Frames:
    return Frames((body,), "line")


def head(body: bytes) -> Frames:
    return Frames((body,), "header")


def framed(body: bytes, framing="header") -> bytes:
    before, after = frame_edges(body, framing)
    return before + body + after


TABLE = {
    "nothing": (b"", []),
    "white space": (b" \r\n\t\n", []),
    "a line": (A + b"\n", [line(A)]),
    "two lines": (A + b"\n" + B + b"\n", [line(A), line(B)]),
    "a last line without newline": (A + b"\n" + B, [line(A), line(B)]),
    "BOM, CRLF, blank lines": (BOM + A + b"\r\n\r\n \n" + B + b" \r\n", [line(A), line(B)]),
    "half a BOM": (b"\xef\xbb", [line(b"\xef\xbb")]),
    "U+2028 is no line end": ('{"a":"\u2028"}\n'.encode(), [line('{"a":"\u2028"}'.encode())]),
    "a header": (framed(A), [head(A)]),
    "BOM, then a header": (BOM + framed(A), [head(A)]),
    "two headers": (framed(A) + framed(B), [head(A), head(B)]),
    "newlines after a body": (framed(A) + b"\r\n\n" + framed(B), [head(A), head(B)]),
    "LF only, lower case, no space": (b"content-length:7\n\n" + A, [head(A)]),
    "other fields": (b"Content-Type: x\r\nContent-Length: 7 \r\nX-Y: z\r\n\r\n" + A, [head(A)]),
    "the length twice, the same": (b"Content-Length: 7\r\nContent-Length: 7\r\n\r\n" + A, [head(A)]),
    "an empty body": (b"Content-Length: 0\r\n\r\n" + framed(A), [head(b""), head(A)]),
    "junk, then lines": (b"hello\n42\n" + A + b"\n", [line(b"hello"), line(b"42"), line(A)]),
    "junk, then headers": (b"hello\n" + framed(A), [line(b"hello"), head(A)]),
    "broken JSON does not lock": (b"{oops\n" + framed(A), [line(b"{oops"), head(A)]),
    "a line locks": (A + b"\nContent-Length: 7\n", [line(A), line(b"Content-Length: 7")]),
    "nearly a header": (b"content\n" + A, [line(b"content"), line(A)]),
    "a long line": (b"[" + b"1" * LIMIT + b"]\n" + A, [Oversized("line"), line(A)]),
    "a long last line": (A + b"\n" + b"x" * 99, [line(A), Oversized("line")]),
    "a line of the limit": (b"1" * LIMIT + b"\n", [line(b"1" * LIMIT)]),
    "a long body": (framed(b"x" * (LIMIT + 1)) + framed(A), [Oversized("header"), head(A)]),
    "a body of the limit": (framed(b"x" * LIMIT), [head(b"x" * LIMIT)]),
}

LOST = {
    "negative": b"Content-Length: -5\r\n\r\n",
    "no number": b"Content-Length: abc\r\n\r\n",
    "signed": b"Content-Length: +5\r\n\r\n",
    "a fraction": b"Content-Length: 5.0\r\n\r\n",
    "empty": b"Content-Length:\r\n\r\n",
    "missing": b"Content-Type: x\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "absurd": b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "no field": b"content-length 5\r\n\r\n",
    "a line among headers": framed(A) + A + b"\n\n",
    "a long block": b"Content-Type: " + b"x" * 9000 + b"\r\nContent-Length: 7\r\n\r\n",
    "a long block of short fields": b"Content-Type: x\r\n" * 600 + b"Content-Length: 7\r\n\r\n",
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_stream(name, size):
    stream, expected = TABLE[name]

    found = events(pieces(stream, size))

    assert found == expected


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_lost_framing_is_the_last_event(name, size):
    stream = LOST[name] + framed(A)

    found = events(pieces(stream, size))

    assert isinstance(found[-1], FramingLost)
    assert not any(isinstance(event, FramingLost) for event in found[:-1])
    assert head(A) not in found[1:]


@pytest.mark.parametrize("stream", [b"Content-Length: 9\r\n\r\n" + A, b"Content-Length: 9\r\n", framed(A) + b"Con"])
def test_an_end_inside_a_message_loses_the_framing(stream):
    found = events(pieces(stream, 1))

    assert found[-1] == FramingLost("The input ended inside a message.")


def test_forced_framings_do_not_guess():
    as_lines = events([framed(A)], "line")
    as_headers = events([A + b"\n" + framed(A)], "header")

    assert as_lines == [line(b"Content-Length: 7"), line(A)]
    assert isinstance(as_headers[0], FramingLost)


FRAGMENTS = (
    *(A, B, BOM, b"\n", b"\r\n", b" ", b"[", b"{", b"hello", b"x" * 50, b"\xff", b":", b"7", b"50", b"\r\n\r\n"),
    *(b"Content-Length: ", b"content-type: x\r\n", framed(A), framed(b"")),
)
BYTES = st.one_of(
    st.binary(max_size=200), st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(lambda parts: b"".join(parts))
)
FRAMINGS = st.sampled_from(["auto", "line", "header"])


@given(BYTES, st.lists(st.integers(1, 60), min_size=1), FRAMINGS)
def test_any_chunking_gives_the_same_events(stream, sizes, framing):
    whole = events([stream], framing)
    cut = events(pieces(stream, itertools.cycle(sizes)), framing)

    assert cut == whole


@given(BYTES, FRAMINGS)
def test_memory_stays_within_the_limit(stream, framing):
    decoder = Decoder(framing, LIMIT)

    for chunk in pieces(stream, 10):
        for event in decoder.feed(chunk):
            assert not isinstance(event, Frames) or max(map(len, event.bodies)) <= LIMIT
        assert len(decoder._buffer) + sum(map(len, decoder._parts)) <= max(LIMIT, 8 * 1024) + 10


@given(
    st.lists(st.recursive(st.none() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2)), max_size=6),
    st.sampled_from(["line", "header"]),
    st.lists(st.sampled_from([b"", b"\n", b"\r\n", b" \n"]), min_size=6, max_size=6),
)
def test_what_is_encoded_is_decoded(values, framing, between):
    import json

    bodies = [json.dumps([value]).encode() for value in values]
    stream = b"".join(framed(body, framing) + gap for body, gap in zip(bodies, between, strict=False))

    found = events([stream], limit=10_000)

    assert found == [Frames((body,), framing) for body in bodies]


@given(st.lists(st.one_of(st.just(A), st.binary(max_size=60).filter(lambda b: b"\n" not in b))))
def test_lines_stay_in_sync_whatever_they_hold(lines):
    stream = A + b"\n" + b"".join(body + b"\n" for body in lines) + B

    found = events([stream])

    assert found[0] == line(A)
    assert found[-1] == line(B)


@pytest.mark.parametrize("framing", ["line", "header"])
def test_time_is_linear(framing):
    """A parser that looks at its buffer again for each chunk would need minutes here."""
    body = b'["' + b"x" * 8_000_000 + b'"]'
    stream = framed(body, framing)

    start = time.perf_counter()
    found = events(pieces(stream, 4096), limit=10_000_000)

    assert found == [Frames((body,), framing)]
    assert time.perf_counter() - start < 10


def pieces(stream: bytes, size):
    sizes = itertools.repeat(size) if isinstance(size, int) else size
    while stream:
        count = next(sizes)
        yield stream[:count]
        stream = stream[count:]
