"""The frames of an MP3: where they lie, how many there are, and whether the file says so itself.

What lives here: walking frame headers, an index of them, and a header that announces their number. What must not:
decoding.

Without a Xing, Info or VBRI header libsndfile guesses the length from the first frame's bit rate, and never reads past
its guess: of a file with variable bit rate it may show only the first sixth. And to go to the middle it walks all
frames before, each time: 25 s in a recording of a day. Both are cured by walking once.

Sources: ISO/IEC 11172-3 and 13818-3 for the frame header; ID3v2.4.0; Xing's header as LAME documents it.
"""

from __future__ import annotations

import functools
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rpc.cancel import CancelToken
from survey.decoders.spliced import SplicedFile

INDEX_STEP = 16
"""The index knows every 16th frame."""

_BITRATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {0: (11025, 12000, 8000), 2: (22050, 24000, 16000), 3: (44100, 48000, 32000)}
_MPEG_1, _LAYER_3, _MONO = 3, 1, 3
# Of a header's four bytes: sync word, version, layer, bit rate, sample rate, padding.
_LENGTH_BITS = 0xFFFEFE00
_KIND_BITS = 0xFFFE0C00
_BLOCK_BYTES = 1 << 20
_LONGEST_RUBBISH = 1 << 16
# In samples, what LAME's tag leaves out: the decoder's own delay.
_DECODER_DELAY = 529


@dataclass(frozen=True, slots=True)
class Mp3:
    """How an MP3 begins. `first` is the header of the first frame with sound, at byte `start`.

    `announced`: whether a header tells its length. `delay`: how many samples of the first frames a decoder leaves out.
    """

    first: int
    start: int
    announced: bool
    delay: int

    @property
    def samples_per_frame(self) -> int:
        """Of each channel."""
        return 1152 if _version(self.first) == _MPEG_1 else 576


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The byte at which every 16th frame begins, the byte at which the last one ends, and their number."""

    mp3: Mp3
    offsets: array[int]
    end: int
    count: int

    def find(self, first_frame: int, last_frame: int) -> tuple[int, int, int, int]:
        """The bytes [start, end) of a stretch that holds the frames asked for, and its frames [first, last).

        Raises EOFError where an MP3 announces more frames than it has.
        """
        begin = max(0, first_frame) // INDEX_STEP
        end = -(-last_frame // INDEX_STEP)
        if begin >= len(self.offsets):
            raise EOFError(f"there are {self.count} frames, and none of number {first_frame}")
        if end >= len(self.offsets):
            return self.offsets[begin], self.end, begin * INDEX_STEP, self.count
        return self.offsets[begin], self.offsets[end], begin * INDEX_STEP, end * INDEX_STEP


_KEPT_INDEXES = 256
_indexed: dict[tuple[Path, int, int], FrameIndex] = {}
"""By path, size and mtime. Threads may walk a file twice, which costs time only."""


def look_at_mp3(path: Path) -> Mp3 | None:
    """How the MP3 at `path` begins; None for any other file."""
    with path.open("rb") as file:
        start = _end_of_id3(file)
        file.seek(start)
        block = file.read(8192)
    first = _header_at(block, 0)
    length = _frame_lengths().get(first & _LENGTH_BITS, 0)
    following = _header_at(block, length)
    if not length or following & _KIND_BITS != first & _KIND_BITS:
        return None
    tag = block[_tag_offset(first) : length]
    if tag[:4] in (b"Xing", b"Info"):
        return Mp3(following, start + length, announced=True, delay=_delay(tag))
    # Fraunhofer's header stands 32 bytes after the frame's own, whatever the side information.
    if block[36:40] == b"VBRI":
        return Mp3(following, start + length, announced=True, delay=0)
    return Mp3(first, start, announced=False, delay=0)


def index_frames(path: Path, mp3: Mp3, token: CancelToken) -> FrameIndex:
    """Walk all frames of a file. The result is remembered until the file changes.

    Raises
    ------
    OSError, rpc.errors.RequestCancelled
    """
    status = path.stat()
    key = (path, status.st_size, status.st_mtime_ns)
    index = _indexed.get(key)
    if index is None:
        with path.open("rb") as file:
            index = _walk(file, mp3, status.st_size, token)
        while len(_indexed) >= _KEPT_INDEXES:
            _indexed.pop(next(iter(_indexed)), None)
        _indexed[key] = index
    return index


def announced_mp3(file: BinaryIO, index: FrameIndex) -> SplicedFile:
    """The MP3 in `file`, without its tags, behind `lead_in`."""
    size = index.end - index.mp3.start
    return SplicedFile(lead_in(index.mp3, index.count, size), file, index.mp3.start, size)


def lead_in(mp3: Mp3, count: int, size: int) -> bytes:
    """Two frames to put before `count` frames in `size` bytes: one that announces their number, one of silence.

    Of what such a file decodes to, the first `lead_samples` do not belong to the sound.
    """
    # The largest bit rate, so that the tag has room whatever the sound's own is; no padding, no checksum.
    header = mp3.first & ~0xF200 | 14 << 12 | 1 << 16
    length = _frame_lengths()[header & _LENGTH_BITS]
    start = header.to_bytes(4, "big")
    tag = struct.pack(">4sIII", b"Info", 0b11, count + 1, size + 2 * length)
    return (start + b"\0" * (_tag_offset(header) - 4) + tag).ljust(length, b"\0") + start.ljust(length, b"\0")


def lead_samples(mp3: Mp3) -> int:
    """What is left of the frame of silence: after a header, mpg123 leaves out its own delay."""
    return mp3.samples_per_frame - _DECODER_DELAY


def _walk(file: BinaryIO, mp3: Mp3, size: int, token: CancelToken) -> FrameIndex:
    """From frame to frame. Rubbish between frames is passed over, as the decoder does."""
    offsets = array("Q")
    place, count = _follow(file, mp3.start, size, offsets, 0, token)
    while (rubbish := _rubbish_before_next(file, place, mp3.first)) is not None:
        place, count = _follow(file, place + rubbish, size, offsets, count, token)
    return FrameIndex(mp3, offsets, place, count)


def _follow(
    file: BinaryIO, place: int, size: int, offsets: array[int], count: int, token: CancelToken
) -> tuple[int, int]:
    """Walk frames from `place` on, the first being number `count`, to where no whole frame begins.

    Returns that place, and the number of frames before it.
    """
    lengths, read_header = _frame_lengths(), struct.Struct(">I").unpack_from
    while True:
        token.raise_if_cancelled()
        file.seek(place)
        block = file.read(_BLOCK_BYTES)
        at, last, limit = 0, len(block) - 4, size - place
        while at <= last:
            length = lengths.get(read_header(block, at)[0] & _LENGTH_BITS)
            # The last frame may be cut off: no decoder plays it.
            if length is None or at + length > limit:
                return place + at, count
            if not count % INDEX_STEP:
                offsets.append(place + at)
            count += 1
            at += length
        if not at:
            return place, count
        place += at


@functools.cache
def _frame_lengths() -> dict[int, int]:
    """The length in bytes of a layer III frame by its header. "Free format", which tells none, is left out."""
    lengths = {}
    for version, rates in _SAMPLE_RATES.items():
        for bitrate, kilobits in enumerate(_BITRATES[version == _MPEG_1]):
            for rate, hertz in enumerate(rates):
                for padding in (0, 1) if kilobits else ():
                    header = 0xFFE00000 | version << 19 | _LAYER_3 << 17 | bitrate << 12 | rate << 10 | padding << 9
                    factor = 144_000 if version == _MPEG_1 else 72_000
                    lengths[header] = factor * kilobits // hertz + padding
    return lengths


def _rubbish_before_next(file: BinaryIO, place: int, first: int) -> int | None:
    """How far beyond `place` the next frame begins that is followed by another; None at the end of the sound."""
    file.seek(place)
    block = file.read(_LONGEST_RUBBISH)
    at = block.find(0xFF, 1)
    while at >= 0:
        header = _header_at(block, at)
        length = _frame_lengths().get(header & _LENGTH_BITS)
        if length is not None and {header & _KIND_BITS, _header_at(block, at + length) & _KIND_BITS} == {
            first & _KIND_BITS
        }:
            return at
        at = block.find(0xFF, at + 1)
    return None


def _header_at(block: bytes, at: int) -> int:
    return int.from_bytes(block[at : at + 4].ljust(4, b"\0"), "big")


def _version(header: int) -> int:
    return header >> 19 & 3


def _tag_offset(header: int) -> int:
    """Where a Xing header stands in the frame: after the side information."""
    mono = header >> 6 & 3 == _MONO
    if _version(header) == _MPEG_1:
        return 21 if mono else 36
    return 13 if mono else 21


def _delay(tag: bytes) -> int:
    """The samples that an encoder put before the sound, if its tag tells, and those of the decoder."""
    flags = int.from_bytes(tag[4:8], "big")
    at = 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    encoder, delays = tag[at : at + 9], tag[at + 21 : at + 24]
    if not encoder.strip(b"\0") or len(delays) < 3 or not any(delays):
        return 0
    return (delays[0] << 4 | delays[1] >> 4) + _DECODER_DELAY


def _end_of_id3(file: BinaryIO) -> int:
    """Where the sound begins: after the ID3v2 tags."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3":
            return place
        size = functools.reduce(lambda total, byte: total << 7 | byte & 0x7F, head[6:10], 0)
        place += 10 + size + (10 if head[5] & 0x10 else 0)
