"""Where blobs go, and that only old ones of our own are removed."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from rpc.errors import RequestFailed
from schemas.audio import FileBlob
from sidecar.audio.blobs import LIFETIME_SECONDS, BlobStore, sweep


def stored(store: BlobStore, content: bytes, mime: str = "image/png") -> Path:
    delivered = store.deliver(content, mime, "file")
    assert isinstance(delivered, FileBlob)
    return Path(delivered.path)


def age(path: Path, seconds: float) -> Path:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))
    return path


def blob(folder: Path, number: int, size: int = 100, suffix: str = "") -> Path:
    path = folder / f"dipper-blob-{number:032x}.png{suffix}"
    path.write_bytes(b"x" * size)
    return path


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's temporary folder, for this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_young_blobs_outlive_the_process_that_wrote_them(temporary):
    store = BlobStore()
    path = stored(store, b"abc")

    store.close()

    assert path.read_bytes() == b"abc"
    assert path.parent.parent == temporary


def test_old_blobs_go_at_the_end(temporary):
    store = BlobStore()
    path = stored(store, b"abc")
    age(path, LIFETIME_SECONDS + 5)
    age(path.parent, LIFETIME_SECONDS + 5)

    store.close()

    assert list(temporary.iterdir()) == []


def test_a_private_folder_that_another_sidecar_has_removed_is_made_anew(temporary):
    store = BlobStore()
    path = stored(store, b"abc")
    age(path, LIFETIME_SECONDS + 5)
    age(path.parent, LIFETIME_SECONDS + 5)

    other = stored(BlobStore(), b"def")

    assert not path.parent.exists()
    assert stored(store, b"ghi").read_bytes() == b"ghi"
    assert other.read_bytes() == b"def"


def test_no_temporary_folder_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(RequestFailed, match="missing"):
        BlobStore().deliver(b"abc", "image/png", "file")


def test_the_clients_folder_is_made_and_stays(tmp_path):
    store = BlobStore()
    store.use_folder(tmp_path / "new" / "blobs")
    path = stored(store, b"abc", "audio/wav")
    store.close()

    assert path.parent == tmp_path / "new" / "blobs"
    assert path.suffix == ".wav"
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_sweeping_takes_only_old_blobs_of_ours(tmp_path):
    old, young = age(blob(tmp_path, 1), LIFETIME_SECONDS + 5), blob(tmp_path, 2)
    half = age(blob(tmp_path, 3, suffix=".partial"), LIFETIME_SECONDS + 5)
    strangers = [tmp_path / name for name in ("dipper-blob-1.png", "photo.png", f"x{old.name}", f"{old.name}.txt")]
    for stranger in strangers:
        stranger.touch()
        age(stranger, 10 * LIFETIME_SECONDS)

    freed = sweep(tmp_path, limit_bytes=0)

    assert freed == 200
    assert not old.exists()
    assert not half.exists()
    assert young.exists()
    assert all(stranger.exists() for stranger in strangers)


def test_within_the_limit_old_blobs_stay(tmp_path):
    paths = [age(blob(tmp_path, number), LIFETIME_SECONDS + 100 - number) for number in range(5)]

    sweep(tmp_path, limit_bytes=300)

    assert [path.exists() for path in paths] == [False, False, True, True, True]


def test_the_first_blob_sweeps_what_an_earlier_run_left(tmp_path):
    left = age(blob(tmp_path, 1), LIFETIME_SECONDS + 5)

    BlobStore(tmp_path).deliver(b"abc", "image/png", "file")

    assert not left.exists()


def test_a_long_session_keeps_to_its_size(tmp_path):
    store = BlobStore(tmp_path, limit_bytes=4000)
    for _ in range(20):
        age(stored(store, b"x" * 500), LIFETIME_SECONDS + 5)

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4000 + 1000 + 500


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(RequestFailed):
        BlobStore(tmp_path / "file" / "blobs").deliver(b"abc", "image/png", "file")


def test_private_folders_of_killed_processes_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned, running, foreign = (tmp_path / f"dipper-blobs-{n}" for n in range(3))
    for folder in (abandoned, running, foreign):
        folder.mkdir()
        age(blob(folder, 1), 90_000)
    (foreign / "photo.png").touch()
    for folder in (abandoned, foreign):
        age(folder, 90_000)

    store = BlobStore()
    stored(store, b"abc")
    store.close()

    assert (abandoned.exists(), running.exists()) == (False, True)
    assert [path.name for path in foreign.iterdir()] == ["photo.png"]
