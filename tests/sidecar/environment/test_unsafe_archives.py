"""Archives that must not be extracted: each is refused with the member named, and nothing is left or touched."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
import zipfile

import pytest

from rpc.errors import ArchiveInvalid
from sidecar.environment import rules
from tests.sidecar.environment import tiny

EVIL = {
    "absolute path": ("/tmp/evil", [tiny.file("/tmp/evil")], "absolute path"),
    "parent folder": ("../evil", [tiny.file("../evil")], "'..'"),
    "parent folder inside": ("lib/../../evil", [tiny.file("lib/../../evil")], "'..'"),
    "link to an absolute path": ("evil", [tiny.link("evil", "/etc/passwd")], "absolute path"),
    "link to a drive": ("evil", [tiny.link("evil", "C:\\Windows")], "absolute path"),
    "link leading out": ("lib/evil", [tiny.link("lib/evil", "../../outside")], "leads out"),
    "link without a target": ("evil", [tiny.link("evil", "")], "without a usable target"),
    "links leading out together": (
        "way",
        [tiny.folder("top"), tiny.link("deep/deeper/link", "../../top"), tiny.link("way", "deep/deeper/link/../../x")],
        "by way of another",
    ),
    "file behind a link": (
        "door/evil",
        [tiny.link("door", "lib"), tiny.file("door/evil")],
        "behind a link",
    ),
    "file behind a file": ("etc/paths.conf/evil", [tiny.file("etc/paths.conf/evil")], "behind a link or a file"),
    "hard link leading out": ("evil", [tiny.link("evil", "../../secret", tarfile.LNKTYPE)], "'..'"),
    "hard link to an absolute path": ("evil", [tiny.link("evil", "/etc/passwd", tarfile.LNKTYPE)], "absolute path"),
    "hard link to nothing": ("evil", [tiny.link("evil", "not/there", tarfile.LNKTYPE)], "no file before it"),
    "hard link to a link": (
        "evil",
        [tiny.link("soft", "bin/python"), tiny.link("evil", "soft", tarfile.LNKTYPE)],
        "no file before it",
    ),
    "character device": ("evil", [tiny.file("evil", b"", type=tarfile.CHRTYPE)], "character device"),
    "block device": ("evil", [tiny.file("evil", b"", type=tarfile.BLKTYPE)], "block device"),
    "named pipe": ("evil", [tiny.file("evil", b"", type=tarfile.FIFOTYPE)], "named pipe"),
    "unknown kind": ("evil", [tiny.file("evil", b"", type=b"V")], "cannot need"),
    "set-uid": ("evil", [tiny.file("evil", mode=0o4755)], "set-uid"),
    "set-gid": ("evil", [tiny.file("evil", mode=0o2755)], "set-gid"),
    "over-long name": ("n" * 256, [tiny.file("n" * 256)], "over-long name"),
    "over-long path": ("p/" * 1600 + "end", [tiny.file("p/" * 1600 + "end")], "over-long path"),
    "twice": ("lib/twice", [tiny.file("lib/twice"), tiny.file("lib/twice")], "twice"),
    "twice, by another spelling": ("./lib//twice", [tiny.file("lib/twice"), tiny.file("./lib//twice")], "twice"),
    "link over a folder": ("lib", [tiny.link("lib", "etc")], "twice"),
    "file in place of the environment": ("./", [tiny.file("./", b"", type=tarfile.SYMTYPE, linkname="bin")], "twice"),
    "not UTF-8": ("evil\\udcff", [tiny.file("evil\udcff")], "not UTF-8"),
}


# Zip archives know neither hard links nor other kinds, and cannot be made to hold names that are no text.
NOT_IN_ZIP = ("hard link", "unknown kind", "not UTF-8", "file in place of the environment")


def evil_by_kind():
    for case, (named, entries, reason) in EVIL.items():
        for kind in tiny.KINDS:
            if kind != ".zip" or not case.startswith(NOT_IN_ZIP):
                yield pytest.param(kind, named, entries, reason, id=f"{case} {kind}")


@pytest.mark.parametrize(("kind", "named", "entries", "reason"), list(evil_by_kind()))
def test_an_unsafe_member_is_refused_by_name(machine, kind, named, entries, reason):
    archive = machine.archive(tiny.environment(extra=entries), name=f"env{kind}")

    with pytest.raises(ArchiveInvalid) as refused:
        machine.set_up(archive)

    assert reason in refused.value.message
    assert named in refused.value.message
    assert refused.value.path == str(archive)
    assert machine.left_behind() == []


def test_a_zero_byte_in_a_name_is_refused(machine):
    # Arrange: tarfile writes none, a pax record may.
    archive = machine.archive(tiny.environment(extra=[tiny.file("evil", pax_headers={"path": "bin/e\0vil"})]))

    with pytest.raises(ArchiveInvalid, match="zero byte"):
        machine.set_up(archive)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_decompression_bomb_is_refused_early(machine, kind):
    bomb = machine.archive(tiny.environment(extra=[tiny.file("zeros", bytes(200_000_000))]), name=f"bomb{kind}")
    assert bomb.stat().st_size < 1_000_000

    with pytest.raises(ArchiveInvalid, match="grows to more than 100 times"):
        machine.set_up(bomb)

    assert machine.left_behind() == []


def test_more_bytes_than_any_environment_has_are_refused(machine, monkeypatch):
    monkeypatch.setattr(rules, "MAX_BYTES", 1_000_000)
    archive = machine.archive(tiny.environment(extra=[tiny.file("lib/large", bytes(1_000_000))]))

    with pytest.raises(ArchiveInvalid, match="'lib/large' goes beyond"):
        machine.set_up(archive)


def test_more_files_than_any_environment_has_are_refused(machine, monkeypatch):
    monkeypatch.setattr(rules, "MAX_FILES", 20)
    archive = machine.archive(tiny.environment(extra=[tiny.file(f"lib/{number}") for number in range(20)]))

    with pytest.raises(ArchiveInvalid, match="goes beyond 20 files"):
        machine.set_up(archive)


def test_a_header_that_claims_gigabytes_is_refused_without_reading_them(machine):
    # Arrange: a pax header of 8 GB by its size field, with nothing behind it.
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 8 * 1024**3 - 1
    path = machine.root / "huge.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT)))

    with pytest.raises(ArchiveInvalid, match="header in it has 8589934591 bytes"):
        machine.set_up(path)


def test_a_negative_size_is_refused(machine):
    archive = machine.archive(tiny.environment(extra=[tiny.file("evil", pax_headers={"size": "-1"})]))

    with pytest.raises(ArchiveInvalid, match="negative size"):
        machine.set_up(archive)


NO_ARCHIVES = ["empty", "text", "HTML", "cut zip", "xz", "gzip of text", "empty gzip", "zstd of text", "a folder"]


@pytest.mark.parametrize("what", NO_ARCHIVES)
def test_what_is_no_archive_is_refused(machine, what):
    path = machine.root / "env.tar.gz"
    contents = {
        "empty": b"",
        "text": b"not an archive at all\n" * 100,
        "HTML": b"<!doctype html><title>404 Not Found</title>",
        "cut zip": b"PK\x03\x04" + bytes(1000),
        "xz": b"\xfd7zXZ\0" + bytes(1000),
        "zstd of text": tiny.compressed(".zst", b"not a tar archive\n" * 100),
        "gzip of text": gzip.compress(b"not a tar archive\n" * 100),
        "empty gzip": gzip.compress(b""),
    }
    if what == "a folder":
        path.mkdir()
    else:
        path.write_bytes(contents[what])

    with pytest.raises(ArchiveInvalid) as refused:
        machine.set_up(path)

    assert "env.tar.gz" in refused.value.message
    assert machine.left_behind() == []


def large_archive(machine, kind: str = ".tar.gz"):
    """Random content, so that its compressed form is long too."""
    noise = tiny.file("lib/noise", random.Random(5).randbytes(300_000))
    return machine.archive(tiny.environment(extra=[noise, tiny.file("lib/last", b"the end")]), name=f"env{kind}")


@pytest.mark.parametrize("kept", [0.001, 0.1, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_truncated_archive_is_never_taken_for_whole(machine, kind, kept):
    whole = large_archive(machine, kind).read_bytes()
    path = machine.root / f"cut{kind}"
    path.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(ArchiveInvalid, match=r"cut short|no tar"):
        machine.set_up(path)

    assert machine.left_behind() == []


def test_the_last_bytes_of_the_compressed_data_count_too(machine):
    """All members can be read, but the checksum at the very end is missing."""
    whole = large_archive(machine).read_bytes()
    path = machine.root / "cut.tar.gz"
    path.write_bytes(whole[:-4])

    with pytest.raises(ArchiveInvalid, match="cut short"):
        machine.set_up(path)


@pytest.mark.parametrize("kind", [".tar.gz", ".zip"])  # zstd.compress writes no checksum; see below
def test_a_flipped_bit_is_noticed(machine, kind):
    whole = bytearray(large_archive(machine, kind).read_bytes())
    whole[len(whole) // 2] ^= 0x10
    path = machine.root / f"flipped{kind}"
    path.write_bytes(whole)

    with pytest.raises(ArchiveInvalid):
        machine.set_up(path)

    assert machine.left_behind() == []


def test_a_tar_without_its_end_is_noticed(machine):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        info, content = tiny.file("bin/python", tiny.fake_python(), 0o755)
        archive.addfile(info, io.BytesIO(content))
    path = machine.root / "cut.tar.gz"
    path.write_bytes(gzip.compress(plain.getvalue()[: 512 + 100]))

    with pytest.raises(ArchiveInvalid, match="cut short"):
        machine.set_up(path)


class TestZip:
    """What only zip archives can do wrong."""

    def test_members_that_share_bytes_are_refused(self, machine):
        # Arrange: the directory's second entry is made to point at the first one's bytes.
        path = machine.archive([tiny.file("first"), tiny.file("other")], name="env.zip")
        whole = bytearray(path.read_bytes())
        second = whole.rindex(b"PK\x01\x02")
        whole[second + 42 : second + 46] = struct.pack("<L", 0)
        path.write_bytes(whole)

        with pytest.raises(ArchiveInvalid, match="shares bytes with"):
            machine.set_up(path)

    def test_a_directory_that_claims_gigabytes_is_refused_without_reading_it(self, machine):
        path = machine.archive(name="env.zip")
        whole = bytearray(path.read_bytes())
        end = whole.rindex(b"PK\x05\x06")
        whole[end + 12 : end + 16] = struct.pack("<L", 3_000_000_000)
        path.write_bytes(whole)

        with pytest.raises(ArchiveInvalid, match="directory has 3000000000 bytes"):
            machine.set_up(path)

    def test_another_name_in_the_directory_than_before_the_bytes_is_refused(self, machine):
        path = machine.archive([tiny.file("bin/python", b"#!")], name="env.zip")
        path.write_bytes(path.read_bytes().replace(b"bin/python", b"bin/pythog", 1))

        with pytest.raises(ArchiveInvalid, match="'bin/python' is damaged"):
            machine.set_up(path)

    def test_encrypted_members_are_refused(self, machine):
        path = machine.archive([tiny.file("secret")], name="env.zip")
        whole = bytearray(path.read_bytes())
        whole[whole.rindex(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(whole)

        with pytest.raises(ArchiveInvalid, match="'secret' is encrypted"):
            machine.set_up(path)

    def test_a_zero_byte_in_a_name_is_refused(self, machine):
        path = machine.archive([tiny.file("bin/eXvil")], name="env.zip")
        path.write_bytes(path.read_bytes().replace(b"eXvil", b"e\0vil"))

        with pytest.raises(ArchiveInvalid, match=r"zero byte|is damaged"):
            machine.set_up(path)

    def test_other_compressions_are_named(self, machine):
        path = machine.root / "env.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
            archive.writestr("bin/python", b"#!")

        with pytest.raises(ArchiveInvalid, match=r"'bin/python' is compressed in a way \(method 12\)"):
            machine.set_up(path)
