"""Listing the recordings below a folder, with what their headers say where that is asked for.

What lives here: the scan. What must not: walking (survey/walk.py), decoding (survey/recordings.py), the wire.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import RequestFailed
from schemas.folders import Scan, ScannedFile, ScanParams, SkippedPath
from survey.metadata import read_metadata
from survey.paths import path_from_wire, path_to_wire
from survey.recordings import EXTENSIONS, FORMATS_BY_EXTENSION, open_recording
from survey.walk import FoundFile, Walk, normal_extensions

ROWS_AT_ONCE = 500
_PROBES_AHEAD = 256

OnProgress = Callable[[int, str], None]
"""Told how many recordings have been found, and the folder being read."""
OnFiles = Callable[[list[ScannedFile]], None]
"""Given rows as they are found, in order."""


def scan_folder(
    params: ScanParams, token: CancelToken, on_progress: OnProgress | None = None, on_files: OnFiles | None = None
) -> Scan:
    """The recordings below a folder in natural order.

    With `on_files` every row goes there, and the result's own list stays empty.

    Raises
    ------
    rpc.errors.FileMissing, rpc.errors.PermissionRefused, rpc.errors.RequestFailed
        The folder itself cannot be listed.
    rpc.errors.RequestCancelled
    """
    tally = _Tally(on_progress, on_files)
    walk = Walk(
        folder=path_from_wire(params.folder, "$.folder"),
        extensions=EXTENSIONS if params.extensions is None else normal_extensions(params.extensions),
        token=token,
        recursive=params.recursive,
        include_hidden=params.include_hidden,
        on_folder=tally.enter,
    )
    unreadable: list[SkippedPath] = []
    for row in _probed(walk, unreadable, token) if params.probe else map(_listed, walk):
        tally.add(row)
    tally.flush()
    skipped = [SkippedPath(path=path_to_wire(one.path), reason=one.reason) for one in walk.skipped]
    return Scan(
        folder=path_to_wire(walk.folder),
        files=tuple(tally.rows),
        count=tally.count,
        total_bytes=tally.total_bytes,
        skipped=(*skipped, *unreadable),
    )


class _Tally:
    """Counts rows, and keeps them or hands them on."""

    def __init__(self, on_progress: OnProgress | None, on_files: OnFiles | None) -> None:
        self.rows: list[ScannedFile] = []
        self.count = 0
        self.total_bytes = 0
        self._on_progress = on_progress
        self._on_files = on_files

    def enter(self, folder: Path) -> None:
        if self._on_progress is not None:
            self._on_progress(self.count, path_to_wire(folder))

    def add(self, row: ScannedFile) -> None:
        self.rows.append(row)
        self.count += 1
        self.total_bytes += row.size_bytes
        if len(self.rows) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._on_files is not None and self.rows:
            self._on_files(self.rows)
            self.rows = []


def _listed(file: FoundFile) -> ScannedFile:
    return ScannedFile(path=path_to_wire(file.location), size_bytes=file.size_bytes)


def _probed(files: Iterable[FoundFile], unreadable: list[SkippedPath], token: CancelToken) -> Iterator[ScannedFile]:
    """Rows with what the headers say, read in parallel, in the order of `files`.

    A file that cannot be read is no row; it goes to `unreadable` with the reason.
    """
    waiting: deque[Future[ScannedFile | SkippedPath]] = deque()
    with ThreadPoolExecutor(max_workers=2 * (os.cpu_count() or 1), thread_name_prefix="probe") as pool:
        try:
            for file in files:
                waiting.append(pool.submit(_probe, file, token))
                if len(waiting) >= _PROBES_AHEAD:
                    yield from _sorted_out(waiting.popleft(), unreadable)
            while waiting:
                token.raise_if_cancelled()
                yield from _sorted_out(waiting.popleft(), unreadable)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _sorted_out(probe: Future[ScannedFile | SkippedPath], unreadable: list[SkippedPath]) -> Iterator[ScannedFile]:
    row = probe.result()
    if isinstance(row, SkippedPath):
        unreadable.append(row)
    else:
        yield row


def _wrong_extension(path: Path, found_format: str) -> str | None:
    """A sentence when a readable file is of another format than its name says."""
    extension = path.suffix.lower()
    expected = FORMATS_BY_EXTENSION.get(extension)
    if expected is None or found_format in expected:
        return None
    return f"{path} is {found_format} inside, not what its extension {extension} says."


def _probe(file: FoundFile, token: CancelToken) -> ScannedFile | SkippedPath:
    try:
        with open_recording(file.path, token) as recording:
            recorded_at = read_metadata(recording).recorded_at
            return ScannedFile(
                path=path_to_wire(file.location),
                size_bytes=file.size_bytes,
                duration_seconds=recording.duration_seconds,
                sample_rate=recording.sample_rate,
                recorded_at=recorded_at.isoformat() if recorded_at else None,
                problem=_wrong_extension(file.path, recording.format),
            )
    except RequestFailed as error:
        return SkippedPath(path=path_to_wire(file.location), reason=error.message)
