"""The folder that clips are exported into: every file whole, none replaced, and a table of them.

What lives here: putting files there under free names, counting, the table. What must not: rendering, names
(naming.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from rpc.errors import DiskFull, FileMissing, RequestFailed, RpcError, from_os_error
from schemas.audio import ClipParams
from schemas.detections import ChosenDetection, ExportedDetections, FailedDetection
from sidecar.detections.naming import FreeNames, stem_of
from sidecar.detections.table import DetectionTable, TableRow
from survey import atomic
from survey.paths import path_to_wire

_TABLE, _TABLE_ENDING = "detections", ".csv"
_MAX_FAILURES = 100


class ClipFiles(msgspec.Struct, frozen=True):
    """The files of one clip as bytes. `sound_ending` with its dot; `sample_rate` (Hz) is that of `sound`."""

    sound: bytes | None
    sound_ending: str
    sample_rate: int | None
    time_expansion: float
    spectrogram: bytes | None


class ExportFolder:
    """Takes clips one by one. Left by an error, too, it has a table of what was written until then."""

    def __init__(self, folder: Path, total: int) -> None:
        """Make `folder` if only it is missing.

        Raises
        ------
        rpc.errors.FileMissing, rpc.errors.PermissionRefused, rpc.errors.DiskFull, rpc.errors.RequestFailed
        """
        self._folder = folder
        self._total = total
        self._clips = 0
        self._failed = 0
        self._failures: list[FailedDetection] = []
        self._table_path: Path | None = None
        _make(folder)
        atomic.sweep_abandoned(folder)
        try:
            self._names = FreeNames(path.name for path in folder.iterdir())
            self._table = DetectionTable(folder / f"{_TABLE}{_TABLE_ENDING}")
        except OSError as error:
            raise from_os_error(error, folder, "write into") from error

    def add(self, detection: ChosenDetection, clip: ClipParams, files: ClipFiles) -> None:
        """Write the files of a clip, and its row: all or nothing.

        Raises
        ------
        rpc.errors.DiskFull, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
        """
        contents = {files.sound_ending: files.sound, ".png": files.spectrogram}
        written: dict[str, Path] = {}
        try:
            written = self._write(stem_of(detection), {key: value for key, value in contents.items() if value})
            names = {ending: path.name for ending, path in written.items()}
            row = TableRow(
                detection=detection,
                clip_start_seconds=clip.start_seconds,
                clip_end_seconds=clip.end_seconds,
                sound=names.get(files.sound_ending),
                spectrogram=names.get(".png"),
                sample_rate=files.sample_rate,
                time_expansion=files.time_expansion,
            )
            self._table.add(row)
        except OSError as error:
            _remove(written.values())
            raise self._stopped(error) from error
        self._clips += 1

    def add_failure(self, detection: ChosenDetection, clip: ClipParams, error: RpcError) -> None:
        """Note a clip that could not be made. Raises as `add`."""
        row = TableRow(
            detection=detection,
            clip_start_seconds=clip.start_seconds,
            clip_end_seconds=clip.end_seconds,
            error=error.message,
        )
        try:
            self._table.add(row)
        except OSError as failure:
            raise self._stopped(failure) from failure
        self._failed += 1
        if len(self._failures) < _MAX_FAILURES:
            self._failures.append(_failed(detection, error))

    def exported(self) -> ExportedDetections:
        """What came of it; ask when the folder has been left."""
        return ExportedDetections(
            folder=path_to_wire(self._folder),
            table=None if self._table_path is None else path_to_wire(self._table_path),
            total=self._total,
            clip_count=self._clips,
            failed=self._failed,
            failures=tuple(self._failures),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close_table()
        except OSError as failure:
            if error is None:
                raise self._stopped(failure) from failure

    def _close_table(self) -> None:
        if self._clips + self._failed == 0:
            self._table.discard()
            return
        self._table_path = self._table.close(
            lambda: self._folder / f"{self._names.claim(_TABLE, [_TABLE_ENDING])}{_TABLE_ENDING}"
        )
        atomic.flush_folder(self._folder)

    def _write(self, stem: str, contents: Mapping[str, bytes]) -> dict[str, Path]:
        """The files of one clip by their endings, under the first name that nothing has."""
        while True:
            name = self._names.claim(stem, contents)
            with contextlib.suppress(FileExistsError):  # somebody else writes here too: the next name, then
                return _write_together({ending: self._folder / f"{name}{ending}" for ending in contents}, contents)

    def _stopped(self, error: OSError) -> RequestFailed:
        """The leaf for an error that ends the export."""
        failure = from_os_error(error, self._folder, "write into")
        if not isinstance(failure, DiskFull):
            return failure
        return DiskFull(
            f"The disk is full: {self._clips} of {self._total} clips were written into {self._folder}, whole; "
            "the others are missing.",
            path=self._folder,
            hint="Free some space, and export the others again.",
        )


def _make(folder: Path) -> None:
    if not folder.parent.is_dir():
        raise FileMissing(f"There is no folder {folder.parent} to make {folder.name} in.", path=folder.parent)
    if folder.exists() and not folder.is_dir():
        raise RequestFailed(f"{folder} is no folder.", path=folder, hint="Choose another one.")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise from_os_error(error, folder, "make the folder") from error


def _write_together(paths: Mapping[str, Path], contents: Mapping[str, bytes]) -> dict[str, Path]:
    """Write whole files under new names: all of them or none. Raises OSError, FileExistsError where a name is taken."""
    asides = {ending: atomic.aside_of(path) for ending, path in paths.items()}
    placed: dict[str, Path] = {}
    try:
        for ending, aside in asides.items():
            aside.write_bytes(contents[ending])
            atomic.flush_file(aside)
        for ending, aside in asides.items():
            atomic.place_anew(aside, paths[ending])
            placed[ending] = paths[ending]
    except BaseException:
        _remove(placed.values())
        raise
    finally:
        _remove(asides.values())
    return placed


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _failed(detection: ChosenDetection, error: RpcError) -> FailedDetection:
    return FailedDetection(
        path=detection.path,
        start_seconds=detection.start_seconds,
        end_seconds=detection.end_seconds,
        class_=detection.class_,
        score=detection.score,
        error=error.to_wire(),
    )
