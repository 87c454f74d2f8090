"""folders/scan: rows, streaming, probing, progress."""

from __future__ import annotations

import pytest

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, RequestCancelled
from schemas.folders import ScannedFile, ScanParams
from sidecar.folders.scan import ROWS_AT_ONCE, scan_folder
from tests.sounds import noise, write_sound


def scan(folder, token=None, on_progress=None, on_files=None, **options):
    return scan_folder(ScanParams(folder=str(folder), **options), token or CancelToken(), on_progress, on_files)


def test_recordings_with_their_sizes(tmp_path):
    for name in ("b10.WAV", "b9.wav", "site/a.flac", "notes.txt", ".hidden.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * len(name))

    found = scan(tmp_path)

    assert found.folder == str(tmp_path)
    assert [(row.path, row.size_bytes) for row in found.files] == [
        (str(tmp_path / "b9.wav"), 6),
        (str(tmp_path / "b10.WAV"), 7),
        (str(tmp_path / "site" / "a.flac"), 11),
    ]
    assert (found.count, found.total_bytes, found.skipped) == (3, 24, ())
    assert [row.path for row in scan(tmp_path, extensions=("TXT",)).files] == [str(tmp_path / "notes.txt")]
    assert scan(tmp_path, recursive=False).count == 2
    assert scan(tmp_path, include_hidden=True).count == 4


def test_probing_reads_headers_and_reports_what_is_wrong(tmp_path):
    write_sound(tmp_path / "20240512_053000Z.wav", noise(16000), 16000)
    write_sound(tmp_path / "mp3_inside.flac", noise(16000), 16000, format="MP3")
    write_sound(tmp_path / "no_samples.wav", noise(0))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp3").write_text("hello")

    found = scan(tmp_path, probe=True)

    good, misnamed = found.files
    assert (good.duration_seconds, good.sample_rate, good.recorded_at) == (1, 16000, "2024-05-12T05:30:00+00:00")
    assert good.problem is None
    assert "MP3 inside" in misnamed.problem
    assert {skipped.path.rsplit("/", 1)[1] for skipped in found.skipped} == {"empty.wav", "no_samples.wav", "text.mp3"}
    assert all(skipped.reason for skipped in found.skipped)
    assert found.count == 2


@pytest.mark.parametrize("probe", [False, True])
def test_streamed_rows_come_in_order_and_stay_out_of_the_result(tmp_path, probe):
    original = write_sound(tmp_path / "0.wav", noise(10))
    for number in range(1, ROWS_AT_ONCE + 100):
        (tmp_path / f"{number}.wav").hardlink_to(original)
    streamed: list[list[ScannedFile]] = []

    found = scan(tmp_path, on_files=streamed.append, probe=probe)

    assert len(streamed) == 2
    rows = [row for rows in streamed for row in rows]
    assert [row.path for row in rows] == [str(tmp_path / f"{number}.wav") for number in range(ROWS_AT_ONCE + 100)]
    assert (found.files, found.count) == ((), ROWS_AT_ONCE + 100)


def test_progress_tells_folders_and_count(tmp_path):
    for name in ("a/1.wav", "b/2.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    told = []

    scan(tmp_path, on_progress=lambda count, folder: told.append((count, folder)))

    assert told == [(0, str(tmp_path)), (0, str(tmp_path / "a")), (1, str(tmp_path / "b"))]


@pytest.mark.parametrize("probe", [False, True])
def test_cancelled_while_it_runs(tmp_path, probe):
    for number in range(10):
        (tmp_path / str(number)).mkdir()
    token = CancelToken()

    with pytest.raises(RequestCancelled):
        scan(tmp_path, token, on_progress=lambda _count, folder: token.cancel() if folder.endswith("5") else None)


def test_no_such_folder(tmp_path):
    with pytest.raises(FileMissing, match="missing"):
        scan(tmp_path / "missing")
