"""One recording as the models read it: shared by the threads that prepare clips, mixed down, resampled.

What lives here: reading a stretch of an open recording as OpenSoundscape's `Audio.from_file` would give it, without
opening the file anew for each clip. What must not: clip times (clips.py), preprocessing (the models').

NOTE: OpenSoundscape reads through librosa: samples as float64, the mean over the channels, the resampling of each
clip by itself (soxr_hq unless the model says otherwise), then float32. It cuts times to samples by truncation,
`int(seconds * sample_rate)`, of the start and of the length separately. All of it is repeated here, so that scores
are equal.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from survey.recordings import Recording, open_recording

Mono = NDArray[np.float64]
_PATIENCE_SECONDS = 1.0


class Sound:
    """An open recording that any thread may read. Raises DecodeFailed where the file is damaged."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._lock = threading.Lock()
        self.path: Path = recording.path
        self.sample_rate = recording.sample_rate
        self.frames = recording.frames

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
        """As `read_mono`, by times in seconds."""
        start_frame = int(start_seconds * self.sample_rate)
        return self.read_mono(start_frame, int(duration_seconds * self.sample_rate))

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
