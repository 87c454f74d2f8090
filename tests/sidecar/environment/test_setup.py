"""env/setup from end to end, on tiny archives: what it makes, refuses, replaces, restores and cleans."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid, Busy, DiskFull, FileMissing, PermissionRefused, RequestCancelled, RequestFailed
from sidecar.environment.marker import MARKER_NAME, read_marker
from sidecar.environment.verify import check_folder
from tests import hostile
from tests.sidecar.environment import tiny
from tests.sidecar.environment.conftest import Machine

PATIENCE_SECONDS = 60


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_archive_becomes_a_ready_environment(machine):
    archive = machine.archive()

    environment = machine.set_up(archive)

    assert environment.status == "ready"
    assert environment.folder == str(machine.folder)
    assert environment.python_path == str(machine.folder / "bin" / "python")
    assert environment.python_version == "3.11.7"
    assert environment.packages == tiny.PACKAGES
    assert environment.libpython_path == "/fake/lib/libpython3.11.so.1.0"
    assert environment.size_bytes == sum(record[1] for record in json.loads(files_list(machine))["files"])
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


def files_list(machine: Machine) -> bytes:
    return (machine.folder / "dipper-environment-files.json").read_bytes()


def test_conda_unpack_writes_the_new_prefix_and_the_list_of_files_knows(machine):
    machine.set_up(machine.archive())

    assert (machine.folder / "etc/paths.conf").read_text() == f"home={machine.folder}/lib\n"
    assert check_folder(machine.folder, deep=True).status == "ready"


def test_the_marker_tells_what_was_set_up(machine):
    archive = machine.archive()

    machine.set_up(archive)

    marker = read_marker(machine.folder)
    assert marker is not None
    assert (marker.state, marker.archive_sha256, marker.archive_size) == (
        "ready", sha256(archive), archive.stat().st_size,
    )  # fmt: skip
    assert marker.files == 6
    assert {watched.path for watched in marker.watched} >= {"bin/python", "lib/libpython3.11.so.1.0"}


def test_progress_counts_the_bytes_of_the_archive(machine):
    noise = tiny.file("lib/noise", os.urandom(12_000_000))
    archive = machine.archive(tiny.environment(extra=[noise]))

    machine.set_up(archive, sha256=sha256(archive))

    steps = [(done, total) for doing, done, total in machine.told if doing == "extracting the archive"]
    assert len(steps) >= 3
    assert steps == sorted(steps)
    assert steps[-1] == (archive.stat().st_size, archive.stat().st_size)
    assert machine.doings() == [
        "checking the archive's sum",
        "extracting the archive",
        "correcting the paths in the environment",
        "importing the models' packages for the first time",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "with blanks in it",
        "Käuzchen 梟",
        'it\'s "quoted"',
        "$HOME `pwd`; true",
        "-rf",
        "n" * 200,
        "a/b/c",
        "back\\slash",
    ],
)
def test_any_folder_name_will_do(machine, name):
    folder = machine.folder.parent / name

    environment = machine.set_up(machine.archive(), folder=folder)

    assert environment.status == "ready"
    assert (folder / "etc/paths.conf").read_text() == f"home={folder}/lib\n"


def test_a_folder_that_is_there_and_empty_is_used(machine):
    machine.folder.mkdir()

    assert machine.set_up(machine.archive()).status == "ready"


def test_the_same_archive_again_is_not_extracted_again(machine):
    archive = machine.archive()
    machine.set_up(archive)
    (machine.folder / "kept.txt").write_text("made by the user")
    machine.told.clear()

    environment = machine.set_up(archive)

    assert environment.status == "ready"
    assert machine.told == []
    assert (machine.folder / "kept.txt").exists()


def test_the_same_archive_is_recognised_by_its_sum_wherever_it_lies(machine):
    archive = machine.archive()
    machine.set_up(archive)
    elsewhere = machine.root / "copy.tar.gz"
    elsewhere.write_bytes(archive.read_bytes())
    machine.told.clear()

    machine.set_up(elsewhere, sha256=sha256(archive).upper())

    assert machine.told == []


def test_force_sets_it_up_anew(machine):
    archive = machine.archive()
    machine.set_up(archive)
    (machine.folder / "bin/python").write_text("damaged")

    environment = machine.set_up(archive, force=True)

    assert environment.status == "ready"
    assert (machine.folder / "bin/python").read_bytes() == tiny.fake_python()


def test_a_broken_environment_is_replaced_without_force(machine):
    archive = machine.archive()
    machine.set_up(archive)
    (machine.folder / "lib/libpython3.11.so.1.0").unlink()

    assert machine.set_up(archive).status == "ready"
    assert (machine.folder / "lib/libpython3.11.so.1.0").exists()


def test_another_archive_replaces_the_environment(machine):
    machine.set_up(machine.archive())
    newer = machine.archive(tiny.environment(tiny.fake_python(version="3.12.1")), name="newer.tar.gz")

    environment = machine.set_up(newer)

    assert environment.python_version == "3.12.1"
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


def test_whoever_uses_the_environment_is_told_before_it_is_replaced(machine):
    told: list[Path] = []
    machine.set_up(machine.archive(), before_replacing=told.append)
    newer = machine.archive(tiny.environment(tiny.fake_python(version="3.12.1")), name="newer.tar.gz")

    machine.set_up(newer, before_replacing=told.append)

    assert told == [machine.folder]


def test_an_environment_in_use_stays_as_it_is(machine):
    def refuse(_folder: Path) -> None:
        raise Busy("A job is using it.")

    machine.set_up(machine.archive())
    newer = machine.archive(tiny.environment(tiny.fake_python(version="3.12.1")), name="newer.tar.gz")

    with pytest.raises(Busy):
        machine.set_up(newer, before_replacing=refuse)

    assert check_folder(machine.folder, deep=True).python_version == "3.11.7"
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


BAD_ENVIRONMENTS = {
    "conda-unpack fails": (tiny.environment(unpack_code=3), "conda-unpack failed"),
    "import fails": (
        tiny.environment(tiny.fake_python(problem="torch cannot be imported: no such symbol")),
        "torch cannot be imported: no such symbol",
    ),
    "no conda-unpack": (
        [entry for entry in tiny.environment() if entry[0].name != "bin/conda-unpack"],
        "conda-unpack is missing",
    ),
    "no Python": ([entry for entry in tiny.environment() if entry[0].name != "bin/python"], "no Python interpreter"),
    "another operating system": ([tiny.file("python.exe", b"MZ")], "it is for another operating system"),
    "a package is missing": (tiny.environment(tiny.fake_python(packages={"torch": "1"})), "lacks opensoundscape"),
    "another processor": (
        tiny.environment(b"\x7fELF\x02\x01\x01\x00" + bytes(8) + b"\x02\x00\xf3\x00" + bytes(200)),
        "another operating system or processor",
    ),
    "not executable": (
        [tiny.file("bin/python", tiny.fake_python(), 0o644), *tiny.environment()[1:]],
        "may not be run",
    ),
    "Python says nothing": (tiny.environment(b"#!/bin/sh\necho 'GLIBC_2.99 not found' >&2\nexit 1\n"), "GLIBC_2.99"),
}


@pytest.mark.parametrize(("entries", "reason"), BAD_ENVIRONMENTS.values(), ids=BAD_ENVIRONMENTS)
def test_an_environment_that_does_not_work_is_refused_and_removed(machine, entries, reason):
    with pytest.raises(ArchiveInvalid, match=reason):
        machine.set_up(machine.archive(entries))

    assert machine.left_behind() == []


@pytest.mark.parametrize(("entries", "reason"), BAD_ENVIRONMENTS.values(), ids=BAD_ENVIRONMENTS)
def test_the_old_environment_comes_back_when_the_new_one_fails(machine, entries, reason):
    machine.set_up(machine.archive())
    before = machine.left_behind()

    with pytest.raises(ArchiveInvalid, match=reason):
        machine.set_up(machine.archive(entries, name="bad.tar.gz"))

    assert machine.left_behind() == before
    assert check_folder(machine.folder, deep=True).status == "ready"


def test_a_wrong_sum_is_told_before_anything_is_extracted(machine):
    with pytest.raises(ArchiveInvalid, match=r"SHA-256 is [0-9a-f]{64}, not 0000"):
        machine.set_up(machine.archive(), sha256="0" * 64)

    assert machine.doings() == ["checking the archive's sum"]
    assert machine.left_behind() == []


def test_an_archive_that_is_named_for_another_system_is_told_at_once(machine):
    other = "windows" if sys.platform == "linux" else "linux"
    archive = machine.archive(name=f"dipper_pytorch_env-{other}-x86_64-cpu.tar.gz")

    with pytest.raises(ArchiveInvalid, match=f"it is for {other}, and this is "):
        machine.set_up(archive)

    assert machine.told == []


def test_a_missing_archive_is_told(machine):
    with pytest.raises(FileMissing, match=r"no environment archive .*nowhere\.tar\.gz"):
        machine.set_up(machine.root / "nowhere.tar.gz")


def test_a_folder_that_is_a_file_is_refused(machine):
    machine.folder.write_text("mine")

    with pytest.raises(RequestFailed, match="is a file, not a folder"):
        machine.set_up(machine.archive())

    assert machine.folder.read_text() == "mine"


def test_a_folder_below_a_file_is_refused(machine):
    (machine.root / "place" / "thesis").write_text("mine")

    with pytest.raises(RequestFailed, match="thesis is a file, not a folder"):
        machine.set_up(machine.archive(), folder=machine.root / "place" / "thesis" / "environment")


def test_a_folder_with_the_users_own_files_is_refused(machine):
    machine.folder.mkdir()
    (machine.folder / "thesis.tex").write_text("mine")

    with pytest.raises(RequestFailed, match="is not empty"):
        machine.set_up(machine.archive(), force=True)

    assert (machine.folder / "thesis.tex").read_text() == "mine"


def test_a_folder_that_may_not_be_written_is_refused(machine):
    with hostile.refusing(machine.folder.parent), pytest.raises(PermissionRefused, match="No permission"):
        machine.set_up(machine.archive())


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
def test_a_disk_without_room_is_told_before_the_first_byte(machine):
    archive = machine.archive(tiny.environment(extra=[tiny.file("lib/noise", os.urandom(3_000_000))]))

    with hostile.small_disk(machine.folder.parent, "2m"):
        with pytest.raises(DiskFull, match=r"needs 0\.0 GB"):
            machine.set_up(archive)

        assert "extracting the archive" not in machine.doings()
        assert machine.left_behind() == []


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
def test_a_disk_that_fills_up_is_told_and_freed(machine):
    # Arrange: zeros hide their size from the estimate.
    archive = machine.archive(tiny.environment(extra=[tiny.file("lib/zeros", bytes(8_000_000))]))

    with hostile.small_disk(machine.folder.parent, "2m"):
        with pytest.raises(DiskFull):
            machine.set_up(archive)

        assert machine.left_behind() == []


def test_the_manifest_beside_the_archive_tells_how_much_room_is_needed(machine):
    archive = machine.archive()
    (archive.parent / "env.json").write_text('{"unpackedBytes": 900000000000000}')

    with pytest.raises(DiskFull, match=r"needs 900000\.0 GB"):
        machine.set_up(archive)


@pytest.mark.parametrize("step", ["extracting the archive", "correcting the paths", "importing the models' packages"])
def test_cancelling_leaves_nothing_behind(machine, step):
    token = CancelToken()
    archive = machine.archive(tiny.environment(extra=[tiny.file("lib/noise", os.urandom(5_000_000))]))

    def cancel_at_step(doing, _done, _total):
        if doing.startswith(step):
            token.cancel()

    machine._tell = cancel_at_step
    with pytest.raises(RequestCancelled):
        machine.set_up(archive, token=token)

    assert machine.left_behind() == []


def test_cancelling_ends_an_interpreter_that_takes_its_time(machine):
    token = CancelToken()
    archive = machine.archive(tiny.environment(tiny.fake_python(before_import="sleep 600")))
    importing = threading.Event()

    def cancel_when_importing(doing, _done, _total):
        if doing.startswith("importing"):
            importing.set()
            threading.Timer(0.2, token.cancel).start()

    machine._tell = cancel_when_importing
    with pytest.raises(RequestCancelled):
        machine.set_up(archive, token=token)

    assert importing.is_set()
    assert machine.left_behind() == []


def test_cancelling_the_replacement_brings_the_old_environment_back(machine):
    machine.set_up(machine.archive())
    token = CancelToken()
    newer = machine.archive(tiny.environment(tiny.fake_python(version="3.12.1")), name="newer.tar.gz")

    def cancel_late(doing, _done, _total):
        if doing.startswith("importing"):
            token.cancel()

    machine._tell = cancel_late
    with pytest.raises(RequestCancelled):
        machine.set_up(newer, token=token)

    assert check_folder(machine.folder, deep=True).python_version == "3.11.7"
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["environment"]


def test_a_marker_of_a_newer_kind_or_damaged_is_no_reason_to_fail(machine):
    machine.set_up(machine.archive())
    (machine.folder / MARKER_NAME).write_text("{ damaged")

    assert check_folder(machine.folder).status == "broken"
    assert machine.set_up(machine.archive()).status == "ready"
