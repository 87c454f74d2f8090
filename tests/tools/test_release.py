"""What a release attaches: whole, with sums that `sha256sum -c` accepts, the same bytes for the same files."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from schemas.version import VERSION
from sidecar.environment.naming import platform_tag
from tools import release
from tools.freezing.likeness import differences
from tools.release import pack_release, pack_sidecar, sha256_of


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    folder = tmp_path / "built" / "sidecar"
    (folder / "_internal" / "numpy").mkdir(parents=True)
    (folder / "sidecar").write_bytes(b"program")
    (folder / "sidecar").chmod(0o755)
    (folder / "_internal" / "numpy" / "core.so").write_bytes(bytes(5000))
    if os.name == "posix":
        (folder / "_internal" / "core.so").symlink_to("numpy/core.so")
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    whole = tmp_path / "environments" / "dipper_pytorch_env-x-cpu.tar.gz"
    whole.parent.mkdir()
    whole.write_bytes(b"archive")
    whole.with_name("dipper_pytorch_env-x-cpu.json").write_text(json.dumps({"sizeBytes": 7}))
    whole.with_name(f"{whole.name}.sha256").write_text(f"{sha256_of(whole)}  {whole.name}\n")
    return whole


def test_all_that_is_attached_has_its_sum(frozen: Path, archive: Path, tmp_path: Path):
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "of an older version.tar.gz").touch()

    attached = pack_release(tmp_path / "release", frozen, archive)

    *files, sums = attached
    assert {path.name for path in (tmp_path / "release").iterdir()} == {path.name for path in attached}
    assert [path.name for path in files][1:] == [
        archive.name,
        "dipper_pytorch_env-x-cpu.json",
        f"{archive.name}.sha256",
    ]
    assert sums.name == f"SHA256SUMS-{platform_tag()}"
    assert dict(line.split("  ")[::-1] for line in sums.read_text().splitlines()) == {
        path.name: sha256_of(path) for path in files
    }


def test_an_archive_that_lacks_its_manifest_is_not_released(frozen: Path, archive: Path, tmp_path: Path):
    archive.with_name("dipper_pytorch_env-x-cpu.json").unlink()

    with pytest.raises(FileNotFoundError):
        pack_release(tmp_path / "release", frozen, archive)


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a zip")
def test_the_sidecar_is_unpacked_as_it_was(frozen: Path, tmp_path: Path):
    packed = pack_sidecar(tmp_path, frozen)

    assert packed.name == f"dipper-sidecar-{VERSION}-{platform_tag()}.tar.gz"
    with tarfile.open(packed) as tar:
        tar.extractall(tmp_path / "there")
    there = tmp_path / "there" / "sidecar"
    assert stat.S_IMODE((there / "sidecar").stat().st_mode) == 0o755
    assert (there / "_internal" / "core.so").readlink() == Path("numpy/core.so")
    files = [path.relative_to(frozen) for path in frozen.rglob("*") if path.is_file()]
    assert all((there / path).read_bytes() == (frozen / path).read_bytes() for path in files)


def test_for_windows_it_is_a_zip(frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(release.sys, "platform", "win32")

    with zipfile.ZipFile(pack_sidecar(tmp_path, frozen)) as packed:
        assert packed.testzip() is None
        assert packed.read("sidecar/_internal/numpy/core.so") == bytes(5000)


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_the_same_files_give_the_same_bytes(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str
):
    monkeypatch.setattr(release.sys, "platform", platform)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = pack_sidecar(tmp_path / "one", frozen)

    os.utime(frozen / "sidecar", (1, 1))
    (frozen / "_internal").chmod(0o700)
    two = pack_sidecar(tmp_path / "two", frozen)

    assert one.read_bytes() == two.read_bytes()


def test_builds_are_compared_by_content_mode_and_links(frozen: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(frozen, other, symlinks=True)
    alike = differences(frozen, other)

    (other / "more").touch()
    (other / "sidecar").write_bytes(b"PROGRAM")

    assert alike == []
    assert differences(frozen, other) == ["more", "sidecar"]
