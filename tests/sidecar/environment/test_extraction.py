"""What a good archive becomes on disk, compared with Python's own tarfile; what a random one can do at worst."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid, RequestFailed
from sidecar.environment.archive import extract_archive
from tests.sidecar.environment import tiny

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0\\", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 255
)
LONG_NAMES = st.builds(
    lambda name, times: (name * times)[:120] or "n", st.sampled_from(["long", "Käuzchen "]), st.integers(20, 40)
)
PATHS = st.lists(NAMES | LONG_NAMES, min_size=1, max_size=4)
CONTENTS = st.binary(max_size=2000) | st.integers(500, 30_000).map(lambda size: b"x" * size)


def trees():
    """Files by path, no path leading through a file."""

    def as_tree(files: list[tuple[list[str], bytes]]) -> dict[str, bytes]:
        tree: dict[str, bytes] = {}
        for parts, content in files:
            path = "/".join(parts)
            if not any(other == path or other.startswith(path + "/") or path.startswith(other + "/") for other in tree):
                tree[path] = content
        return tree

    return st.lists(st.tuples(PATHS, CONTENTS), min_size=1, max_size=8).map(as_tree)


def extract(archive: Path, into: Path):
    into.mkdir()
    return extract_archive(archive, into, CancelToken(), lambda *_: None)


def contents_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@settings(deadline=None, max_examples=60)
@given(trees(), st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]), st.sampled_from(["", ".gz", ".zst"]))
def test_files_come_out_as_tarfile_wrote_them(tree, form, compression):
    with tempfile.TemporaryDirectory() as place:
        # Arrange
        archive = Path(place) / f"a.tar{compression}"
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=form) as writing:
            for path, content in tree.items():
                info = tarfile.TarInfo(path)
                info.size, info.mtime = len(content), 1_700_000_000.25
                writing.addfile(info, io.BytesIO(content))
        archive.write_bytes(tiny.compressed(archive.name, plain.getvalue()))

        # Act
        extracted = extract(archive, Path(place) / "out")

        # Assert
        assert contents_of(Path(place) / "out") == tree
        assert {record.path: record.size for record in extracted.files} == {p: len(c) for p, c in tree.items()}


@settings(deadline=None, max_examples=30)
@given(trees(), st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_files_come_out_as_zipfile_wrote_them(tree, method):
    with tempfile.TemporaryDirectory() as place:
        # Arrange
        archive = Path(place) / "a.zip"
        with zipfile.ZipFile(archive, "w", method) as writing:
            for path, content in tree.items():
                writing.writestr(path, content)

        # Act
        extracted = extract(archive, Path(place) / "out")

        # Assert
        assert contents_of(Path(place) / "out") == tree
        assert {record.path: record.size for record in extracted.files} == {p: len(c) for p, c in tree.items()}
        assert extracted.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()


def test_a_zip_keeps_modes_links_and_times(tmp_path):
    archive = tiny.write(
        tmp_path / "a.zip",
        [tiny.file("bin/run", b"#!", 0o755), tiny.file("lib/a", b"1"), tiny.link("lib/b", "a"), tiny.folder("empty")],
    )

    extracted = extract(archive, tmp_path / "out")

    out = tmp_path / "out"
    assert stat.S_IMODE((out / "bin/run").stat().st_mode) & 0o111
    assert not stat.S_IMODE((out / "lib/a").stat().st_mode) & 0o111
    assert (out / "lib/a").stat().st_mtime == 1_700_000_000
    assert (out / "lib/b").readlink() == Path("a")
    assert list((out / "empty").iterdir()) == []
    assert extracted.links == ("lib/b",)


def test_a_zip_tells_odd_seconds_where_its_program_did(tmp_path):
    entry = zipfile.ZipInfo("a.py", (2023, 11, 14, 22, 13, 20))
    entry.extra = struct.pack("<HHBl", 0x5455, 5, 1, 1_700_000_001)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as writing:
        writing.writestr(entry, b"1")

    extract(tmp_path / "a.zip", tmp_path / "out")

    assert (tmp_path / "out" / "a.py").stat().st_mtime == 1_700_000_001


def test_zstandard_frames_one_after_another_and_notes_between_them(tmp_path):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as writing:
        info, content = tiny.file("a", b"x" * 3_000_000)
        writing.addfile(info, io.BytesIO(content))
    half = len(plain.getvalue()) // 2
    frames = [tiny.compressed(".zst", part) for part in (plain.getvalue()[:half], plain.getvalue()[half:])]
    note = b"\x50\x2a\x4d\x18" + struct.pack("<L", 4) + b"note"
    (tmp_path / "a.tar.zst").write_bytes(note + frames[0] + note + frames[1])

    extract(tmp_path / "a.tar.zst", tmp_path / "out")

    assert contents_of(tmp_path / "out") == {"a": b"x" * 3_000_000}


def test_times_modes_and_links_are_kept(tmp_path):
    archive = tiny.write(
        tmp_path / "a.tar.gz",
        [
            tiny.file("bin/run", b"#!", 0o755),
            tiny.file("lib/a.py", b"1", 0o600, pax_headers={"mtime": "1700000000.1234567"}),
            tiny.link("lib/a", "a.py"),
            tiny.link("lib/same", "lib/a.py", tarfile.LNKTYPE),
            tiny.folder("empty"),
        ],
    )

    extracted = extract(archive, tmp_path / "out")

    out = tmp_path / "out"
    assert stat.S_IMODE((out / "bin/run").stat().st_mode) & 0o111
    assert not stat.S_IMODE((out / "lib/a.py").stat().st_mode) & 0o111
    assert (out / "lib/a.py").stat().st_mtime == 1700000000.1234567
    assert (out / "lib/a").readlink() == Path("a.py")
    assert (out / "lib/same").read_bytes() == b"1"
    assert list((out / "empty").iterdir()) == []
    assert {record.path for record in extracted.files} == {"bin/run", "lib/a.py", "lib/same"}


def test_gzip_files_one_after_another_and_zeros_at_the_end(tmp_path):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as writing:
        info, content = tiny.file("a", b"x" * 3000)
        writing.addfile(info, io.BytesIO(content))
    half = len(plain.getvalue()) // 2
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(plain.getvalue()[:half]) + gzip.compress(plain.getvalue()[half:]) + bytes(5000))

    extract(path, tmp_path / "out")

    assert contents_of(tmp_path / "out") == {"a": b"x" * 3000}


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> bytes:
    """An uncompressed archive, whose headers a mutation is likely to hit."""
    path = tmp_path_factory.mktemp("sample") / "a.tar"
    long = tiny.file("lib/" + "long" * 40, b"long", pax_headers={"comment": "c"})
    return tiny.write(path, tiny.environment(extra=[long])).read_bytes()


@pytest.fixture(scope="module")
def zipped(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("sample") / "a.zip"
    return tiny.write(path, tiny.environment(extra=[tiny.link("lib/deep/link", "../libpython3.11.so")])).read_bytes()


@settings(deadline=None, max_examples=150)
@given(st.data(), st.booleans())
def test_a_damaged_archive_raises_or_stays_inside(sample, zipped, data, as_zip):
    # Arrange
    whole = zipped if as_zip else sample
    mutated = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(whole) - 1))
        mutated[place] = data.draw(st.sampled_from(b"./\0\xff7152x") | st.integers(0, 255))
    root = Path(tempfile.mkdtemp())
    archive = root / "a.tar"
    archive.write_bytes(_with_checksums(mutated) if data.draw(st.booleans()) else mutated)

    # Act
    with contextlib.suppress(ArchiveInvalid, RequestFailed):
        extract(archive, root / "out")

    # Assert
    try:
        assert sorted(path.name for path in root.iterdir()) == ["a.tar", "out"]
        assert all(path.resolve().is_relative_to(root / "out") for path in (root / "out").rglob("*"))
    finally:
        shutil.rmtree(root)


def _with_checksums(archive: bytearray) -> bytes:
    """Make each block that was a header one again, so that what it says is looked at."""
    for start in range(0, len(archive), 512):
        block = archive[start : start + 512]
        if block[257:262] == b"ustar":
            checksum = sum(block[:148]) + 8 * 32 + sum(block[156:])
            archive[start + 148 : start + 156] = b"%06o\0 " % checksum
    return bytes(archive)
