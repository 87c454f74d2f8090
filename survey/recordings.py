"""Opening, seeking and reading recordings, in whatever format they are.

What lives here: `open_recording` and the Recording it gives, the only way in which either interpreter reads
sound. What must not: spectrograms, clips, models, JSON-RPC.

A recording has `frames` frames (one sample of each channel) at `sample_rate` Hz. Samples are float32 between
-1 and 1, shaped [frames, channels].
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from rpc.errors import DecodeFailed, from_os_error
from survey.wave_layout import Chunk, WaveLayout, open_repaired, read_layout

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

EXTENSIONS = frozenset(FORMATS_BY_EXTENSION)
"""Of the formats that are always readable."""

Samples = NDArray[np.float32]

_MAX_CHUNK_BYTES = 1 << 20


class Recording:
    """An open recording. Not safe to share between threads; open it once per thread instead."""

    def __init__(
        self, path: Path, sound: soundfile.SoundFile, size_bytes: int, layout: WaveLayout | None = None
    ) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self._layout = layout
        self.sample_rate: int = sound.samplerate
        self.channels: int = sound.channels
        self.frames: int = sound.frames
        self.format: str = sound.format
        self.subtype: str = sound.subtype
        self._sound = sound

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
            if self._sound.tell() != start_frame:
                self._sound.seek(start_frame)
            samples: Samples = self._sound.read(frame_count, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as error:
            raise self._damage(start_frame, error) from error
        return samples

    @property
    def comment(self) -> str:
        """The comment in the header, as far as the format has one; empty without."""
        return str(self._sound.comment or "")

    @property
    def artist(self) -> str:
        """The artist in the header, where recorders put their name; empty without."""
        return str(self._sound.artist or "")

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
        self._sound.close()

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


def open_recording(path: Path) -> Recording:
    """Open the recording at `path` for reading.

    Raises
    ------
    rpc.errors.FileMissing, rpc.errors.PermissionRefused
    rpc.errors.DecodeFailed
        A folder, an empty file, no sound file, or one without a single sample.
    """
    size_bytes, layout = _look_at(path)
    try:
        sound = _open_repaired(path, layout) if layout and layout.header_is_wrong else None
        sound = sound or soundfile.SoundFile(_native_name(path))
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise _not_readable(path, error) from error
    if sound.frames <= 0:
        sound.close()
        raise DecodeFailed(f"{path} holds no samples: there is no sound after its header.", path=path)
    return Recording(path, sound, size_bytes, layout)


def _open_repaired(path: Path, layout: WaveLayout) -> soundfile.SoundFile | None:
    """A WAV whose header is wrong, read as if it were right."""
    file = path.open("rb")
    try:
        repaired = open_repaired(file, layout)
        return soundfile.SoundFile(repaired) if repaired else None
    except BaseException:
        file.close()
        raise


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
