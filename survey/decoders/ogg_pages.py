"""Ogg pages: finding those that hold a stretch of sound.

What lives here: the page headers of an Ogg file, and a bisection over them. What must not: decoding.

Each page tells (as its granule position) how many samples have ended with it. libsndfile's own seek in a Vorbis
stream is sometimes some samples off; a decode that ends with a page ends at its granule position exactly.

Source: RFC 3533.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_HEADER = struct.Struct("<4sBBqIIIB")
_MARK = b"OggS"
_STEP_BYTES = 1 << 16
_LARGEST_PAGE = 27 + 255 + 255 * 255
_FIRST_OF_STREAM = 0x02
_NO_PACKET_ENDS = -1


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page lies, and the number of samples that have ended with it (-1: no packet ends on it)."""

    start: int
    end: int
    flags: int
    granule: int
    serial: int


@dataclass(frozen=True, slots=True)
class Stream:
    """The one logical stream of an Ogg file. `header_bytes`: everything before the first page with sound."""

    header_bytes: int
    file_bytes: int
    serial: int
    last_granule: int


def read_stream(file: BinaryIO) -> Stream | None:
    """The file's stream; None where there are several, one after the other or interleaved, or none."""
    file_bytes = file.seek(0, os.SEEK_END)
    first = _page_at(file, 0)
    if first is None or not first.flags & _FIRST_OF_STREAM:
        return None
    header_bytes = 0
    for page in _pages_from(file, 0):
        if page.serial != first.serial:
            return None
        if page.granule != 0:
            break
        header_bytes = page.end
    last = _last_page(file, file_bytes)
    if last is None or last.serial != first.serial or last.granule <= 0:
        return None
    return Stream(header_bytes, file_bytes, first.serial, last.granule)


def find_pages(file: BinaryIO, stream: Stream, first: int, last: int) -> tuple[Page, Page]:
    """Two pages between which, the later one included, a decoder finds the samples `first` to `last`.

    The earlier page is the last that ends at or before `first`, or the first of all.
    """
    place = _bisect(file, stream, first)
    begin = end = None
    for page in _pages_from(file, place):
        if page.serial != stream.serial:
            break
        if begin is None or (_NO_PACKET_ENDS < page.granule <= first):
            begin = page
        if page.granule > _NO_PACKET_ENDS:
            end = page
            if page.granule >= last:
                break
    if begin is None or end is None:
        raise EOFError("no page of the stream where one must be")
    return begin, end


def _bisect(file: BinaryIO, stream: Stream, granule: int) -> int:
    """The place of a page that ends at or before `granule`, at most a step before the last such page."""
    low, high = stream.header_bytes, stream.file_bytes
    while high - low > _STEP_BYTES:
        middle = (low + high) // 2
        page = _next_page(file, middle, high, stream.serial)
        if page is None or page.granule > granule:
            high = middle
        else:
            low = page.start
    return low


def _next_page(file: BinaryIO, place: int, limit: int, serial: int) -> Page | None:
    """The first page of the stream from `place` on, and before `limit`, with which a packet ends."""
    while place < limit:
        file.seek(place)
        block = file.read(_STEP_BYTES)
        at = block.find(_MARK)
        if at < 0:
            if len(block) < _STEP_BYTES:
                return None
            # The mark may lie across the edge.
            place += len(block) - len(_MARK) + 1
            continue
        page = _page_at(file, place + at)
        if page is None or page.serial != serial:
            place += at + 1
        elif page.granule == _NO_PACKET_ENDS:
            place = page.end
        else:
            return page if page.start < limit else None
    return None


def _last_page(file: BinaryIO, file_bytes: int) -> Page | None:
    """The last whole page with which a packet ends."""
    start = max(0, file_bytes - 4 * _LARGEST_PAGE)
    file.seek(start)
    block = file.read()
    at = block.rfind(_MARK)
    while at >= 0:
        page = _page_at(file, start + at)
        if page is not None and page.granule != _NO_PACKET_ENDS and page.end <= file_bytes:
            return page
        at = block.rfind(_MARK, 0, at)
    return None


def _pages_from(file: BinaryIO, place: int) -> Iterator[Page]:
    while (page := _page_at(file, place)) is not None:
        yield page
        place = page.end


def _page_at(file: BinaryIO, place: int) -> Page | None:
    file.seek(place)
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return None
    mark, version, flags, granule, serial, _, _, segments = _HEADER.unpack(head)
    lengths = file.read(segments)
    if mark != _MARK or version != 0 or len(lengths) < segments:
        return None
    return Page(place, place + _HEADER.size + segments + sum(lengths), flags, granule, serial)
