"""One recording as the models read it: shared by the threads that prepare clips, mixed down, resampled.

What lives here: reading a stretch of an open recording as OpenSoundscape's `Audio.from_file` would give it, without
opening the file anew for each clip. What must not: clip times (clips.py), preprocessing (the models').

NOTE: OpenSoundscape reads through librosa: samples as float64, then the mean over the channels. It cuts times to
samples by truncation, `int(seconds * sample_rate)`, of the start and of the length separately. Both are repeated
here, so that scores are equal.

NOTE: after a seek into an MP3 its decoder lacks what earlier frames lend to later ones, and the first frames (up to
60 ms) come out wrong, depending on what was read before. OpenSoundscape opens the file and seeks for each clip, so
the models' authors saw their scores with that flaw; in lossy formats a stretch is read in the same way. Only
`read_mono`, by which RIBBIT reads as if from the start, is exact in every format.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from rpc.errors import DecodeFailed
from survey.recordings import Recording, open_recording

Mono = NDArray[np.float64]
_PATIENCE_SECONDS = 1.0
_LOSSY = {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "VORBIS", "OPUS"}


class Sound:
    """An open recording that any thread may read. Raises DecodeFailed where the file is damaged."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._lock = threading.Lock()
        self.path: Path = recording.path
        self.sample_rate = recording.sample_rate
        self.frames = recording.frames
        self._reopened = _must_be_reopened(recording)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the recording at `path`; raises as `survey.recordings.open_recording`."""
        return cls(open_recording(path))

    @property
    def duration_seconds(self) -> float:
        """Length in seconds, as the header has it."""
        return self.frames / self.sample_rate

    def read_mono(self, start_frame: int, frame_count: int) -> Mono:
        """The mean over all channels, shape [frames]; shorter where the recording ends before."""
        count = max(0, min(frame_count, self.frames - start_frame))
        if count == 0:
            return np.empty(0)
        with self._lock:
            samples = self._recording.read_available(start_frame, count)
        mono: Mono = np.mean(samples.astype(np.float64).T, axis=0)
        return mono

    def read_stretch(self, start_seconds: float, duration_seconds: float) -> Mono:
        """As `read_mono`, by times in seconds, and as OpenSoundscape reads a clip."""
        start_frame = int(start_seconds * self.sample_rate)
        frame_count = int(duration_seconds * self.sample_rate)
        if not self._reopened:
            return self.read_mono(start_frame, frame_count)
        try:
            with soundfile.SoundFile(_native_name(self.path)) as sound:
                if start_frame:
                    sound.seek(start_frame)
                samples = sound.read(frame_count, dtype="float64", always_2d=True)
        except (soundfile.SoundFileError, OSError) as error:
            message = f"{self.path} is damaged or cut off: nothing can be read from {start_seconds:g} s on ({error})."
            raise DecodeFailed(message, path=self.path) from error
        mono: Mono = np.mean(samples.T, axis=0)
        return mono

    def read_stretches(self, starts: Sequence[float], durations: Sequence[float]) -> Sequence[Mono] | None:
        """What `read_stretch` gives for each of some neighbouring stretches, read at once.

        None where they must be read one by one.
        """
        if self._reopened:
            return None
        firsts = [int(start * self.sample_rate) for start in starts]
        counts = [int(duration * self.sample_rate) for duration in durations]
        end = max(first + count for first, count in zip(firsts, counts, strict=True))
        whole = self.read_mono(firsts[0], end - firsts[0])
        begins = [first - firsts[0] for first in firsts]
        return [whole[begin : begin + count] for begin, count in zip(begins, counts, strict=True)]

    def close(self) -> None:
        """Give the file back. Idempotent. A file that hangs in a read is left behind."""
        if self._lock.acquire(timeout=_PATIENCE_SECONDS):
            try:
                self._recording.close()
            finally:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


def _must_be_reopened(recording: Recording) -> bool:
    """Whether what a seek gives depends on what was read before.

    Not where the length is announced wrongly: there OpenSoundscape's clips are not the recording's anyway.
    """
    if recording.subtype not in _LOSSY:
        return False
    try:
        return bool(soundfile.info(_native_name(recording.path)).frames == recording.frames)
    except (soundfile.SoundFileError, OSError):
        return False


def _native_name(path: Path) -> str | bytes:
    # soundfile encodes text strictly; names that are not UTF-8 only survive as bytes.
    return str(path) if os.name == "nt" else os.fsencode(path)
