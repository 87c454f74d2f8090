"""The table of exported detections, written row by row.

    file,start_time,end_time,class,score,clip,spectrogram,clip_start_time,clip_end_time,sample_rate,time_expansion,error

What lives here: its columns, and that it holds whole rows whatever happens. What must not: clips.

Its first columns are our own sparse form (survey/tables/sparse.py), so that the table opens as scores again.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.detections import ChosenDetection
from survey import atomic


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A detection and the files of its clip, by their names; or why there are none. Seconds from the recording's start.

    `sample_rate` (Hz) is that of the sound file.
    """

    detection: ChosenDetection
    clip_start_seconds: float
    clip_end_seconds: float
    sound: str | None = None
    spectrogram: str | None = None
    sample_rate: int | None = None
    time_expansion: float | None = None
    error: str | None = None

    def cells(self) -> tuple[object, ...]:
        """In the order of the columns."""
        known, clip = self.detection, (self.clip_start_seconds, self.clip_end_seconds)
        names = (known.path, known.start_seconds, known.end_seconds, known.class_, known.score)
        return (*names, self.sound, self.spectrogram, *clip, self.sample_rate, self.time_expansion, self.error)


COLUMNS = (
    "file", "start_time", "end_time", "class", "score", "clip", "spectrogram", "clip_start_time", "clip_end_time",
    "sample_rate", "time_expansion", "error",
)  # fmt: skip


class DetectionTable:
    """A table that grows aside and gets its name when it is closed."""

    def __init__(self, wanted: Path) -> None:
        """`wanted` decides on the folder. Raises OSError."""
        self._aside = atomic.aside_of(wanted)
        self._file = self._aside.open("xb", buffering=0)
        try:
            self._append(COLUMNS)
        except OSError:
            self.discard()
            raise

    def add(self, row: TableRow) -> None:
        """Append a row. Raises OSError; the table then is what it was."""
        self._append(row.cells())

    def close(self, next_name: Callable[[], Path]) -> Path:
        """Give the table the first of the names that is free; which one.

        Raises
        ------
        OSError
            The table is removed.
        """
        try:
            self._file.close()
            atomic.flush_file(self._aside)
            while True:
                with contextlib.suppress(FileExistsError):
                    path = next_name()
                    atomic.place_anew(self._aside, path)
                    return path
        finally:
            self.discard()

    def discard(self) -> None:
        """Leave nothing behind. Idempotent."""
        self._file.close()
        self._aside.unlink(missing_ok=True)

    def _append(self, cells: tuple[object, ...]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        content = memoryview(line.getvalue().encode("utf-8", "surrogateescape"))
        before = self._file.tell()
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError:
            self._file.truncate(before)
            self._file.seek(before)
            raise
