"""Reading through libsndfile, at the right sample in every format.

What lives here: decoders on top of soundfile. What must not: headers and pages (their own modules), errors for users.

PCM and FLAC seek exactly. An Opus decoder that starts in the middle needs some sound before it gives the right samples:
it gets a run-up, which is thrown away. Vorbis positions are off by some samples after a seek, now and then by many, and
an MP3's take a walk over all frames before: what is read there is decoded by itself, out of the pages or frames
that hold it, and counted from their end.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from rpc.cancel import CancelToken
from survey.decoders.mp3_frames import Mp3, index_frames, lead_in
from survey.decoders.ogg_pages import Stream, find_pages

Samples = NDArray[np.float32]

_RUN_UP_SAMPLES = {"OPUS": 2 * 48000, "MPEG_LAYER_I": 4 * 1152, "MPEG_LAYER_II": 4 * 1152, "MPEG_LAYER_III": 24 * 1152}
# An MP3 frame refers back 511 bytes at most, which 24 frames of the lowest bit rate hold.
_MP3_RUN_UP_FRAMES = 24

_READ_OVER_SAMPLES = 1 << 16
_VORBIS_RUN_UP = 1 << 14
_INT16_STEP = np.float32(2.0**-15)
_UNKNOWN = 1 << 62  # after an error: further than any sound, so that the next read seeks


class Decoder(Protocol):
    """An open sound of which any part can be read."""

    sample_rate: int
    channels: int
    frames: int
    format: str
    subtype: str
    comment: str
    artist: str

    def read(self, start: int, count: int) -> Samples:
        """Frames from `start` on, shape [frames, channels]; fewer than `count` where the sound ends or is damaged."""

    def close(self) -> None:
        """Give the file back. Idempotent."""


class _ReadOn(soundfile.SoundFile):  # type: ignore[misc]
    """A SoundFile that does not seek after each read.

    soundfile seeks to where it already is, so that reading and writing may alternate. An MP3 decoder loses its
    state by that, a FLAC decoder its time.
    """

    def seekable(self) -> bool:
        return False


class SoundFileDecoder:
    """Any format of libsndfile whose seeks are exact, after a run-up if need be.

    The first `lead` frames of what it decodes are left out.
    """

    def __init__(self, source: str | bytes | io.RawIOBase, lead: int = 0) -> None:
        self._sound = _ReadOn(source)
        self._lead = lead
        self._place = -lead
        self._source = source
        self.sample_rate: int = self._sound.samplerate
        self.channels: int = self._sound.channels
        self.frames: int = self._sound.frames - lead
        self.format: str = self._sound.format
        self.subtype: str = self._sound.subtype
        self.comment = str(self._sound.comment or "")
        self.artist = str(self._sound.artist or "")
        self._run_up = _RUN_UP_SAMPLES.get(self.subtype, 0)

    def read(self, start: int, count: int) -> Samples:
        if self._place != start and not 0 < start - self._place <= self._run_up:
            self._seek(max(0, start - self._run_up))
        self.read_up_to(start)
        return self.read_on(count)

    def distance_to(self, start: int) -> int:
        """How many frames must be decoded to come to `start` without a seek other than to the beginning."""
        return start - self._place if start >= self._place else start

    def read_up_to(self, start: int) -> None:
        """Decode and forget what lies before `start`, from the beginning if it lies behind."""
        if self._place > start:
            self._seek(0)
        while (missing := start - self._place) > 0:
            if not len(self.read_on(min(missing, _READ_OVER_SAMPLES))):
                break

    def read_on(self, count: int) -> Samples:
        """The next frames."""
        place, self._place = self._place, _UNKNOWN
        samples = self._decode(count)
        self._place = place + len(samples)
        return samples

    def _decode(self, count: int) -> Samples:
        samples: Samples
        if self.subtype != "PCM_16":
            samples = self._sound.read(count, dtype="float32", always_2d=True)
            return samples
        # The same numbers in a quarter of the time: libsndfile makes floats in pieces of 8 KiB, and so it reads them.
        samples = np.multiply(self._sound.read(count, dtype="int16", always_2d=True), _INT16_STEP, dtype=np.float32)
        return samples

    def _seek(self, place: int) -> None:
        self._place = _UNKNOWN
        self._place = self._sound.seek(place + self._lead) - self._lead

    def close(self) -> None:
        self._sound.close()
        if isinstance(self._source, io.RawIOBase):
            self._source.close()


class SequentialDecoder:
    """A sound whose positions cannot be trusted at all: what is read lies ahead, or is reached from the beginning."""

    def __init__(self, decoder: SoundFileDecoder) -> None:
        self.sample_rate, self.channels, self.frames = decoder.sample_rate, decoder.channels, decoder.frames
        self.format, self.subtype = decoder.format, decoder.subtype
        self.comment, self.artist = decoder.comment, decoder.artist
        self._decoder = decoder

    def read(self, start: int, count: int) -> Samples:
        self._decoder.read_up_to(start)
        return self._decoder.read_on(count)

    def close(self) -> None:
        self._decoder.close()


class SplicingDecoder(SequentialDecoder):
    """Reads on from where it stands; else what is asked for out of a stretch of the file, by itself."""

    def read(self, start: int, count: int) -> Samples:
        if self._decoder.distance_to(start) <= _READ_OVER_SAMPLES:
            return super().read(start, count)
        try:
            stretch, end = self._stretch(start, count)
        except EOFError:
            return np.empty((0, self.channels), np.float32)
        with soundfile.SoundFile(io.BytesIO(stretch)) as sound:
            decoded: Samples = sound.read(sound.frames, dtype="float32", always_2d=True)
        # NOTE: a decoder may begin late in a stretch, but it ends with it: samples are counted from there.
        offset = len(decoded) - (end - start)
        if offset < 0:
            raise EOFError(f"{-offset} frames are missing before frame {end}")
        return decoded[offset : offset + count]

    def _stretch(self, start: int, count: int) -> tuple[bytes, int]:
        """A playable file with the frames asked for and a run-up before them, and the frame at which it ends."""
        raise NotImplementedError


class VorbisDecoder(SplicingDecoder):
    """Ogg Vorbis, spliced of its headers and some pages."""

    def __init__(self, decoder: SoundFileDecoder, path: Path, stream: Stream) -> None:
        super().__init__(decoder)
        self._path = path
        self._stream = stream
        # Of a stream that was cut out of a longer one, the first sample is not number 0.
        self._first_granule = stream.last_granule - decoder.frames

    def _stretch(self, start: int, count: int) -> tuple[bytes, int]:
        first = start + self._first_granule
        with self._path.open("rb") as file:
            begin, end = find_pages(file, self._stream, first - _VORBIS_RUN_UP, first + count)
            headers = read_bytes(file, 0, self._stream.header_bytes)
            return headers + read_bytes(file, begin.start, end.end), end.granule - self._first_granule


class Mp3Decoder(SplicingDecoder):
    """MP3, spliced of a lead-in and some frames, which are walked when this is first needed."""

    def __init__(self, decoder: SoundFileDecoder, path: Path, mp3: Mp3, token: CancelToken) -> None:
        super().__init__(decoder)
        self._path = path
        self._mp3 = mp3
        self._token = token

    def _stretch(self, start: int, count: int) -> tuple[bytes, int]:
        per_frame = self._mp3.samples_per_frame
        index = index_frames(self._path, self._mp3, self._token)
        first = (start + self._mp3.delay) // per_frame
        last = -(-(start + count + self._mp3.delay) // per_frame)
        begin, end, first, last = index.find(first - _MP3_RUN_UP_FRAMES, last)
        with self._path.open("rb") as file:
            sound = read_bytes(file, begin, end)
        return lead_in(self._mp3, last - first, len(sound)) + sound, last * per_frame - self._mp3.delay


def read_bytes(file: BinaryIO, start: int, end: int) -> bytes:
    """The bytes from `start` up to, not including, `end`."""
    file.seek(start)
    return file.read(end - start)
