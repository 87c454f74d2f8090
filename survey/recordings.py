"""Opening, seeking and reading recordings, in whatever format they are.

What lives here: `open_recording` and the Recording it gives, the only way in which either interpreter reads
sound. What must not: spectrograms, clips, models, JSON-RPC.

A recording has `frames` frames (one sample of each channel) at `sample_rate` Hz. Samples are float32 between
-1 and 1, shaped [frames, channels].
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from rpc.cancel import CancelToken
from rpc.errors import DecodeFailed, from_os_error
from survey.decoders.ffmpeg import EXTENSIONS as FFMPEG_EXTENSIONS
from survey.decoders.ffmpeg import FfmpegDecoder
from survey.decoders.libsndfile import Decoder, Mp3Decoder, SequentialDecoder, SoundFileDecoder, VorbisDecoder
from survey.decoders.mp3_frames import Mp3, announced_mp3, index_frames, lead_samples, look_at_mp3
from survey.decoders.ogg_pages import read_stream
from survey.decoders.spliced import SplicedFile
from survey.decoders.wave_layout import Chunk, WaveLayout, read_layout, repaired_wave

_WAVE = frozenset({"WAV", "WAVEX", "RF64", "W64"})
_OGG = frozenset({"OGG"})
_AIFF = frozenset({"AIFF"})

FORMATS_BY_EXTENSION = {
    ".wav": _WAVE,
    ".wave": _WAVE,
    ".w64": _WAVE,
    ".rf64": _WAVE,
    ".flac": frozenset({"FLAC", "OGG"}),
    ".ogg": _OGG,
    ".oga": _OGG,
    ".opus": _OGG,
    ".mp3": frozenset({"MPEG", "MP3"}),
    ".aif": _AIFF,
    ".aiff": _AIFF,
    ".aifc": _AIFF,
}
"""For each extension, in lower case, the values of Recording.format that it may have."""

EXTENSIONS = frozenset(FORMATS_BY_EXTENSION) | FFMPEG_EXTENSIONS
"""Of all recordings. Those of FFMPEG_EXTENSIONS are readable where there is an ffmpeg."""

Samples = NDArray[np.float32]

_MAX_CHUNK_BYTES = 1 << 20


class Recording:
    """An open recording. Not safe to share between threads; open it once per thread instead."""

    def __init__(self, path: Path, decoder: Decoder, size_bytes: int, layout: WaveLayout | None = None) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.sample_rate = decoder.sample_rate
        self.channels = decoder.channels
        self.frames = decoder.frames
        self.format = decoder.format
        self.subtype = decoder.subtype
        self.comment = decoder.comment
        self.artist = decoder.artist
        self._decoder = decoder
        self._layout = layout

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    def read(self, start_frame: int, frame_count: int) -> Samples:
        """Frames `start_frame` up to `start_frame + frame_count`, which must lie inside the recording.

        Returns
        -------
        float32 samples, shape [frame_count, channels].

        Raises
        ------
        rpc.errors.DecodeFailed
            The file is damaged or cut off there, or its device has disappeared.
        """
        samples = self.read_available(start_frame, frame_count)
        if len(samples) != frame_count:
            raise self._damage(start_frame + len(samples), None)
        return samples

    def read_available(self, start_frame: int, frame_count: int) -> Samples:
        """As `read`, but with fewer frames where the sound ends before the header says it does."""
        if start_frame < 0 or frame_count < 0 or start_frame + frame_count > self.frames:
            raise ValueError(f"frames {start_frame}+{frame_count} are outside 0..{self.frames}")
        try:
            return self._decoder.read(start_frame, frame_count)
        except (soundfile.SoundFileError, OSError, EOFError) as error:
            raise self._damage(start_frame, error) from error

    def read_chunks(self, name: bytes) -> list[bytes]:
        """The contents of a WAV's chunks of this name, each up to 1 MiB; none for other formats."""
        chunks = [chunk for chunk in self._layout.chunks if chunk.name == name] if self._layout else []
        if not chunks:
            return []
        try:
            with self.path.open("rb") as file:
                return [_content(file, chunk) for chunk in chunks]
        except OSError as error:
            raise from_os_error(error, self.path, "read") from error

    def close(self) -> None:
        """Give the file back. Idempotent."""
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _damage(self, frame: int, error: Exception | None) -> DecodeFailed:
        where = f"{frame / self.sample_rate:.3f} s"
        if not self.path.exists():
            return DecodeFailed(f"{self.path} has disappeared while it was read, at {where}.", path=self.path)
        why = f" ({error})" if error else ""
        return DecodeFailed(
            f"{self.path} is damaged or cut off: nothing can be read from {where} on, "
            f"although its header announces {self.duration_seconds:.3f} s{why}.",
            path=self.path,
        )


def open_recording(path: Path, token: CancelToken | None = None) -> Recording:
    """Open the recording at `path` for reading.

    `token` is looked at where opening or seeking takes long: an MP3 of a day is walked once, ffmpeg decodes once.

    Raises
    ------
    rpc.errors.FileMissing, rpc.errors.PermissionRefused
    rpc.errors.DecodeFailed
        A folder, an empty file, no sound file, or one without a single sample.
    rpc.errors.RequestCancelled
    """
    size_bytes, layout = _look_at(path)
    try:
        decoder = _decoder_of(path, layout, token or CancelToken())
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise _not_readable(path, error) from error
    if decoder.frames <= 0:
        decoder.close()
        raise DecodeFailed(f"{path} holds no samples: there is no sound after its header.", path=path)
    return Recording(path, decoder, size_bytes, layout)


def _decoder_of(path: Path, layout: WaveLayout | None, token: CancelToken) -> Decoder:
    if layout is not None:
        if layout.header_is_wrong:
            return _spliced(path, functools.partial(repaired_wave, layout=layout))
        return SoundFileDecoder(_native_name(path))
    mp3 = look_at_mp3(path)
    if mp3 is not None:
        return Mp3Decoder(_opened_mp3(path, mp3, token), path, mp3, token)
    try:
        decoder = SoundFileDecoder(_native_name(path))
    except soundfile.SoundFileError:
        if path.suffix.lower() in FFMPEG_EXTENSIONS:
            return FfmpegDecoder(path, token)
        raise
    return _seeking_exactly(path, decoder) if decoder.subtype == "VORBIS" else decoder


def _opened_mp3(path: Path, mp3: Mp3, token: CancelToken) -> SoundFileDecoder:
    if mp3.announced:
        return SoundFileDecoder(_native_name(path))
    index = index_frames(path, mp3, token)
    return _spliced(path, functools.partial(announced_mp3, index=index), lead_samples(mp3))


def _spliced(path: Path, repair: Callable[[BinaryIO], SplicedFile | None], lead: int = 0) -> SoundFileDecoder:
    """A file whose header is wrong or missing, read as if it were right."""
    file = path.open("rb")
    try:
        return SoundFileDecoder(repair(file) or _native_name(path), lead)
    except BaseException:
        file.close()
        raise


def _seeking_exactly(path: Path, decoder: SoundFileDecoder) -> Decoder:
    with path.open("rb") as file:
        stream = read_stream(file)
    return SequentialDecoder(decoder) if stream is None else VorbisDecoder(decoder, path, stream)


def _look_at(path: Path) -> tuple[int, WaveLayout | None]:
    """Size in bytes of the regular, readable, non-empty file at `path`, and its layout if it is a WAV."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise DecodeFailed(f"{path} is a folder, not a recording.", path=path)
        # Opening a pipe or a device could block for ever.
        if not stat.S_ISREG(status.st_mode):
            raise DecodeFailed(f"{path} is no ordinary file.", path=path)
        if status.st_size == 0:
            raise DecodeFailed(f"{path} is empty (0 bytes).", path=path)
        with path.open("rb") as file:
            return status.st_size, read_layout(file, status.st_size)
    except OSError as error:
        raise from_os_error(error, path, "read") from error


def _content(file: BinaryIO, chunk: Chunk) -> bytes:
    file.seek(chunk.start)
    return file.read(min(chunk.size, _MAX_CHUNK_BYTES))


def _native_name(path: Path) -> str | bytes:
    # soundfile encodes text strictly; names that are not UTF-8 only survive as bytes.
    return str(path) if os.name == "nt" else os.fsencode(path)


def _not_readable(path: Path, error: Exception) -> DecodeFailed:
    reason = getattr(error, "error_string", None) or str(error)
    return DecodeFailed(
        f"{path} cannot be read as a recording: {reason.rstrip('.')}.",
        path=path,
        hint="The file may be damaged, or of another format than its name says.",
    )
