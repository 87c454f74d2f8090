"""What a WAV file really holds: its chunks, and how many bytes of sound, whatever its header says.

What lives here: reading the chunks of RIFF and RF64 files, and the rules by which a wrong length is recognised;
a view of such a file with a right header. What must not: decoding samples, metadata.

Recorders that lose power leave a data length of zero or one that is too short; a plain WAV of more than 4 GiB, which
some recorders write all the same, holds its length modulo 2^32. libsndfile believes the header, so the sound
after that length would be lost without an error. A header is believed here only when what follows the data is the end
of the file or more chunks.

Sources: RIFF and WAVE in "Multimedia Programming Interface and Data Specifications 1.0" (IBM, Microsoft, 1991); RF64
in EBU Tech 3306.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from survey.decoders.spliced import SplicedFile

_UNKNOWN = 0xFFFFFFFF
_WRAP = 1 << 32
_MAX_CHUNKS = 4096
_MAX_FORMAT_BYTES = 1 << 16
# Shorter rests are taken for rubbish after an honest header, as some editors leave it.
_LEAST_LOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk's name, and where in the file its content lies, in bytes."""

    name: bytes
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class WaveLayout:
    """The chunks of a WAV file; `data` is the one that holds sound, with its true size.

    `believed_bytes` is how much of the sound libsndfile would find.
    """

    chunks: tuple[Chunk, ...]
    data: Chunk
    believed_bytes: int

    @property
    def header_is_wrong(self) -> bool:
        """Whether sound would be lost by believing the header."""
        return self.believed_bytes < self.data.size

    def find(self, name: bytes) -> Chunk | None:
        """The first chunk of this name."""
        return next((chunk for chunk in self.chunks if chunk.name == name), None)


def read_layout(file: BinaryIO, file_bytes: int) -> WaveLayout | None:
    """The layout of a file that begins as RIFF or RF64 WAVE; None for any other, and for one without sound."""
    head = _read_at(file, 0, 12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        return None
    chunks: list[Chunk] = []
    data: Chunk | None = None
    believed, place = 0, 12
    while place + 8 <= file_bytes and len(chunks) < _MAX_CHUNKS:
        name, size = struct.unpack("<4sI", _read_at(file, place, 8))
        start, rest = place + 8, file_bytes - place - 8
        if name == b"data" and data is None:
            declared = _declared_bytes(file, chunks, size)
            believed = min(declared, rest)
            size = _true_bytes(file, start, declared, file_bytes)
            data = Chunk(name, start, size)
        chunks.append(Chunk(name, start, min(size, rest)))
        place = start + size + size % 2
        if data is not None and not _looks_like_chunk(file, place):
            # Some writers forget the padding byte after an odd length.
            place -= size % 2
    return None if data is None else WaveLayout(tuple(chunks), data, believed)


def repaired_wave(file: BinaryIO, layout: WaveLayout) -> SplicedFile | None:
    """`file` as an RF64 file with a right header; None when it has no format chunk to build one from."""
    kind = layout.find(b"fmt ")
    if kind is None or not 16 <= kind.size <= _MAX_FORMAT_BYTES:
        return None
    content = _read_at(file, kind.start, kind.size)
    align = max(1, struct.unpack_from("<H", content, 12)[0])
    size = layout.data.size - layout.data.size % align
    body = struct.pack("<4sI", b"fmt ", len(content)) + content + b"\0" * (len(content) % 2)
    body += struct.pack("<4sI", b"data", _UNKNOWN)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 4 + 36 + len(body) + size, size, size // align, 0)
    header = struct.pack("<4sI4s", b"RF64", _UNKNOWN, b"WAVE") + sizes + body
    return SplicedFile(header, file, layout.data.start, size)


def _declared_bytes(file: BinaryIO, chunks: list[Chunk], size: int) -> int:
    """The length that the header gives, for RF64 out of its ds64 chunk."""
    sizes = next((chunk for chunk in chunks if chunk.name == b"ds64"), None)
    if size != _UNKNOWN or sizes is None or sizes.size < 16:
        return size
    declared: int = struct.unpack("<Q", _read_at(file, sizes.start + 8, 8))[0]
    return declared


def _true_bytes(file: BinaryIO, start: int, declared: int, file_bytes: int) -> int:
    """How many bytes of sound begin at `start`."""
    rest = file_bytes - start
    # A file above 4 GiB holds its length modulo 2^32: the longest that fits is the right one.
    for size in range(declared + (rest - declared) // _WRAP * _WRAP, -1, -_WRAP):
        if size <= rest and _is_end(file, start + size, file_bytes):
            return size
    if declared and rest - declared < _LEAST_LOST_BYTES:
        return min(declared, rest)
    return rest


def _is_end(file: BinaryIO, place: int, file_bytes: int) -> bool:
    """Whether sound may end at `place`: there the file ends, or chunks follow up to its end."""
    if file_bytes - place <= 1:
        return True
    return any(_chunks_follow(file, start, file_bytes) for start in {place + place % 2, place})


def _chunks_follow(file: BinaryIO, place: int, file_bytes: int) -> bool:
    for _ in range(_MAX_CHUNKS):
        if file_bytes - place <= 1:
            return True
        if not _looks_like_chunk(file, place):
            return False
        size: int = struct.unpack("<I", _read_at(file, place + 4, 4))[0]
        if place + 8 + size > file_bytes:
            return False
        place += 8 + size + size % 2
    return False


def _looks_like_chunk(file: BinaryIO, place: int) -> bool:
    head = _read_at(file, place, 8)
    return len(head) == 8 and all(0x20 <= byte < 0x7F for byte in head[:4])


def _read_at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)
