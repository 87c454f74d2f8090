"""Weights carried over on a stick: found, checked, copied whole, never replaced in silence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from ml_runtime.models import imports
from ml_runtime.models.imports import import_weights
from rpc.cancel import CancelToken
from rpc.errors import DiskFull, FileMissing, RequestCancelled, RequestFailed

CONTENT = b"labels of frogs"
BLOB = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """Empty caches on this computer."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "here" / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "here" / "huggingface" / "hub"))
    monkeypatch.setattr("bioacoustics_model_zoo.cache._default_cache_dir", str(tmp_path / "here" / "zoo"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "here" / "kaggle"))
    return tmp_path / "here"


@pytest.fixture
def stick(tmp_path) -> Path:
    """What ~/.cache of another computer holds."""
    stick = tmp_path / "stick"
    torch_files = stick / "torch" / "hub" / "checkpoints"
    torch_files.mkdir(parents=True)
    torch.save({"weight": torch.ones(100)}, torch_files / "frog.pt")
    repository = stick / "huggingface" / "hub" / "models--frogs--model"
    for folder in ("blobs", "refs", "snapshots/abc"):
        (repository / folder).mkdir(parents=True)
    (repository / "blobs" / BLOB).write_bytes(CONTENT)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc" / "labels.txt").symlink_to(f"../../blobs/{BLOB}")
    (stick / "bioacoustics_model_zoo" / "hawkears").mkdir(parents=True)
    (stick / "bioacoustics_model_zoo" / "hawkears" / "notes.txt").write_text("five networks")
    (stick / "kagglehub" / "models" / "google" / "perch").mkdir(parents=True)
    (stick / "kagglehub" / "models" / "google" / "perch" / "1.complete").write_text("")
    (stick / "unrelated.txt").write_text("a shopping list")
    return stick


def take(folder: Path, **options):
    return import_weights(folder, CancelToken(), lambda progress: None, **options)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_all_caches_of_a_stick_are_taken_over(stick, here):
    told: list = []

    imported = import_weights(stick, CancelToken(), told.append)

    assert files_in(here) == {
        "torch/hub/checkpoints/frog.pt",
        f"huggingface/hub/models--frogs--model/blobs/{BLOB}",
        "huggingface/hub/models--frogs--model/refs/main",
        "huggingface/hub/models--frogs--model/snapshots/abc/labels.txt",
        "zoo/hawkears/notes.txt",
        "kaggle/models/google/perch/1.complete",
    }
    labels = here / "huggingface" / "hub" / "models--frogs--model" / "snapshots" / "abc" / "labels.txt"
    assert labels.is_symlink()
    assert labels.read_bytes() == CONTENT
    assert (len(imported.imported), imported.present) == (6, 0)
    assert told[-1].done == told[-1].total == sum(file.size_bytes for file in imported.imported)


@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("torch", 1),
        ("torch/hub", 1),
        ("torch/hub/checkpoints", 1),
        ("huggingface", 3),
        ("huggingface/hub", 3),
        ("huggingface/hub/models--frogs--model", 3),
        ("bioacoustics_model_zoo", 1),
        ("kagglehub", 1),
    ],
)
def test_one_cache_alone_is_recognised(stick, here, folder, count):
    assert len(take(stick / folder).imported) == count
    assert len(files_in(here)) == count


def test_what_huggingface_hub_finds_afterwards(stick, here):
    import huggingface_hub

    take(stick)

    found = huggingface_hub.try_to_load_from_cache("frogs/model", "labels.txt", cache_dir=here / "huggingface" / "hub")
    assert Path(found).read_bytes() == CONTENT


def test_a_stick_without_links_serves_as_well(stick, here):
    labels = stick / "huggingface" / "hub" / "models--frogs--model" / "snapshots" / "abc" / "labels.txt"
    labels.unlink()
    labels.write_bytes(CONTENT)

    take(stick)

    assert "huggingface/hub/models--frogs--model/snapshots/abc/labels.txt" in files_in(here)


def test_importing_again_changes_nothing(stick):
    take(stick)

    again = take(stick)

    assert (again.imported, again.present) == ((), 6)


def test_another_file_of_the_same_name_is_not_replaced_unless_asked(stick, here):
    # Arrange
    own = here / "torch" / "hub" / "checkpoints" / "frog.pt"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"my own")

    # Act, Assert
    with pytest.raises(RequestFailed, match=r"frog\.pt is here already") as refused:
        take(stick)
    assert "overwrite" in refused.value.hint
    assert files_in(here) == {"torch/hub/checkpoints/frog.pt"}
    assert own.read_bytes() == b"my own"
    take(stick, overwrite=True)
    assert own.read_bytes() == (stick / "torch" / "hub" / "checkpoints" / "frog.pt").read_bytes()


def cut_off(stick: Path) -> str:
    path = stick / "torch" / "hub" / "checkpoints" / "frog.pt"
    path.write_bytes(path.read_bytes()[:-40])
    return "cut off"


def one_bit_flipped(stick: Path) -> str:
    path = stick / "torch" / "hub" / "checkpoints" / "frog.pt"
    content = bytearray(path.read_bytes())
    content[content.index(torch.ones(4).numpy().tobytes())] ^= 1
    path.write_bytes(content)
    return "is damaged"


def emptied(stick: Path) -> str:
    (stick / "torch" / "hub" / "checkpoints" / "frog.pt").write_bytes(b"")
    return "is empty"


def another_blob(stick: Path) -> str:
    (stick / "huggingface" / "hub" / "models--frogs--model" / "blobs" / BLOB).write_bytes(b"labels of toads")
    return "not that of its name"


def another_hash(stick: Path) -> str:
    (stick / "torch" / "hub" / "checkpoints" / "net-01234567.bin").write_bytes(b"x")
    return "not that of its name"


def a_link_into_nothing(stick: Path) -> str:
    (stick / "huggingface" / "hub" / "models--frogs--model" / "blobs" / BLOB).unlink()
    return "was not copied with it"


def a_link_out(stick: Path) -> str:
    secret = stick.parent / "secret.txt"
    secret.write_text("secret")
    link = stick / "huggingface" / "hub" / "models--frogs--model" / "snapshots" / "abc" / "config.json"
    link.symlink_to("../../../../../../secret.txt")
    return "out of its cache"


@pytest.mark.parametrize(
    "spoil", [cut_off, one_bit_flipped, emptied, another_blob, another_hash, a_link_into_nothing, a_link_out]
)
def test_a_damaged_file_is_named_and_nothing_is_imported(stick, here, spoil):
    said = spoil(stick)

    with pytest.raises(RequestFailed, match=said) as refused:
        take(stick)

    assert refused.value.path.startswith(str(stick))
    assert not here.exists()


def test_a_cancel_leaves_whole_files_only(stick, here):
    token = CancelToken()

    def cancel(progress) -> None:
        if progress.unit == "bytes":
            token.cancel()

    with pytest.raises(RequestCancelled):
        import_weights(stick, token, cancel)

    assert all(not name.endswith(".partial") for name in files_in(here))
    assert len(files_in(here)) < 6
    assert take(stick).present == len(files_in(here)) - len(take(stick).imported) or take(stick).present == 6


def test_a_full_disk_is_told_before_anything_is_copied(stick, here, monkeypatch):
    usage = imports.shutil.disk_usage(stick)
    monkeypatch.setattr(imports.shutil, "disk_usage", lambda folder: usage._replace(free=10))

    with pytest.raises(DiskFull, match="are free"):
        take(stick)

    assert not here.exists()


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_folder_without_weights_says_what_is_looked_for(tmp_path, name):
    (tmp_path / "empty").mkdir()

    with pytest.raises(FileMissing, match=name):
        take(tmp_path / name)
