"""Walking folders: once, in natural order, past everything that is hidden, looped or closed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, RequestCancelled, RequestFailed
from survey.paths import natural_key, path_from_wire, path_to_wire
from survey.walk import Walk, normal_extensions


def grow(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def listed(folder: Path, **options) -> list[str]:
    walk = Walk(folder, options.pop("extensions", {".wav"}), options.pop("token", CancelToken()), **options)
    return [file.path.relative_to(folder).as_posix() for file in walk]


def test_natural_order_and_any_case_of_extension(tmp_path):
    grow(tmp_path, "site10/a.wav", "site2/a.WAV", "site2/a10.wav", "site2/a9.Wav", "b.wav", "site2/notes.txt")

    assert listed(tmp_path) == ["b.wav", "site2/a.WAV", "site2/a9.Wav", "site2/a10.wav", "site10/a.wav"]


def test_hidden_files_and_system_folders(tmp_path):
    hidden = ["._a.wav", ".hidden.wav", ".Trash/b.wav", "$RECYCLE.BIN/c.wav", "System Volume Information/d.wav"]
    grow(tmp_path, "a.wav", *hidden, "lost+found/e.wav", "__MACOSX/f.wav", "site/@eaDir/g.wav")

    assert listed(tmp_path) == ["a.wav"]
    assert len(listed(tmp_path, include_hidden=True)) == 9


def test_only_this_folder(tmp_path):
    grow(tmp_path, "a.wav", "site/b.wav")

    assert listed(tmp_path, recursive=False) == ["a.wav"]


def test_links_are_followed_once(tmp_path):
    grow(tmp_path, "a/one.wav", "a/deep/two.wav")
    (tmp_path / "a" / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "c.wav").symlink_to(tmp_path / "a" / "one.wav")
    (tmp_path / "broken.wav").symlink_to(tmp_path / "nowhere.wav")

    walk = Walk(tmp_path, {".wav"}, CancelToken())
    names = [file.path.name for file in walk]

    assert sorted(names) == ["one.wav", "two.wav"]
    assert {skipped.path.name for skipped in walk.skipped} == {"up", "b", "broken.wav"}


def test_a_linked_file_outside_is_listed_once(tmp_path):
    grow(tmp_path, "outside/one.wav")
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "outside" / "one.wav")

    assert listed(tmp_path / "in") == ["a.wav"]


def test_a_folder_whose_name_looks_like_a_recording(tmp_path):
    grow(tmp_path, "site.wav/a.wav")

    assert listed(tmp_path) == ["site.wav/a.wav"]


def test_a_tree_deeper_than_pythons_stack(tmp_path):
    folder = tmp_path
    for _ in range(400):
        folder /= "d"
    folder.mkdir(parents=True)
    (folder / "a.wav").touch()

    assert listed(tmp_path) == ["/".join(["d"] * 400 + ["a.wav"])]


def test_sizes_and_times(tmp_path):
    grow(tmp_path, "a.wav")

    (found,) = Walk(tmp_path, {".wav"}, CancelToken())

    status = (tmp_path / "a.wav").stat()
    assert (found.size_bytes, found.modified_ns) == (1, status.st_mtime_ns)


def test_cancelled_in_the_middle(tmp_path):
    grow(tmp_path, *(f"{number}.wav" for number in range(10)))
    token = CancelToken()
    walk = iter(Walk(tmp_path, {".wav"}, token))
    next(walk)
    token.cancel()

    with pytest.raises(RequestCancelled):
        next(walk)


def test_a_folder_that_is_none(tmp_path):
    grow(tmp_path, "a.wav")

    with pytest.raises(FileMissing):
        listed(tmp_path / "missing")
    with pytest.raises(RequestFailed, match=re.escape(str(tmp_path / "a.wav"))):
        listed(tmp_path / "a.wav")


CLOSED = """
import sys
from pathlib import Path
from rpc.cancel import CancelToken
from survey.walk import Walk
walk = Walk(Path(sys.argv[1]), {".wav"}, CancelToken())
print([file.path.name for file in walk], [skipped.path.name for skipped in walk.skipped])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="permissions of other systems work otherwise")
def test_a_closed_folder_is_reported_and_the_rest_listed(tmp_path):
    """In a process of its own that may not read everything, even when root runs the tests."""
    grow(tmp_path, "a.wav", "closed/b.wav", "z.wav")
    (tmp_path / "closed").chmod(0)
    plain = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []

    try:
        result = subprocess.run(
            [*plain, sys.executable, "-c", CLOSED, str(tmp_path)], capture_output=True, text=True, check=True
        )
    finally:
        (tmp_path / "closed").chmod(0o700)

    assert result.stdout.strip() == "['a.wav', 'z.wav'] ['closed']"


def test_extensions_as_people_write_them():
    assert normal_extensions(["WAV", ".flac", "*.Mp3"]) == {".wav", ".flac", ".mp3"}


@given(st.lists(st.integers(0, 10**12), unique=True))
def test_numbers_sort_by_value(numbers):
    names = sorted((f"site{number}.wav" for number in numbers), key=natural_key)

    assert names == [f"site{number}.wav" for number in sorted(numbers)]


@given(st.lists(st.text(), unique=True))
def test_natural_order_does_not_depend_on_the_order_before(names):
    backwards = list(reversed(names))

    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name and b"/" not in name and name not in (b".", b"..")))
def test_any_name_crosses_the_wire(name):
    path = Path("/recordings") / os.fsdecode(name)

    wire = path_to_wire(path)

    wire.encode("utf-8")
    assert path_from_wire(wire) == path
