"""survey.inputs: from a config's files, folders and patterns to recordings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, RequestCancelled
from schemas.config import InputConfig
from survey.inputs import check_files, find_recordings, look_for_recordings


def sound(path: Path, frames: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(frames, np.float32), 8000)
    return path


def find(folder: Path, **chosen: tuple[str, ...]) -> list[str]:
    found = find_recordings(InputConfig(**chosen), CancelToken())
    return [path.relative_to(folder).as_posix() for path in found]


def test_recordings_of_folders_and_patterns_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("site10/a.wav", "site2/b10.wav", "site2/b9.WAV", "site2/deep/c.flac"):
        sound(tmp_path / name)
    (tmp_path / "site2" / "notes.txt").write_text("x")

    found = find(tmp_path, folders=(str(tmp_path / "site2"),), patterns=(str(tmp_path / "site1*/*"),))

    assert found == ["site2/b9.WAV", "site2/b10.wav", "site2/deep/c.flac", "site10/a.wav"]


def test_named_files_come_first_and_in_the_order_given(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        sound(tmp_path / name)

    found = find(
        tmp_path, files=(str(tmp_path / "d.wav"), str(tmp_path / "b.wav"), str(tmp_path / "d.wav")),
        folders=(str(tmp_path),),
    )  # fmt: skip

    assert found == ["d.wav", "b.wav", "a.wav", "c.wav"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_recording_counts_once_however_it_is_named(tmp_path: Path) -> None:
    path = sound(tmp_path / "in" / "a.wav")
    (tmp_path / "link.wav").symlink_to(path)
    (tmp_path / "linked").symlink_to(tmp_path / "in")

    found = find(
        tmp_path,
        files=(str(path), str(path), str(tmp_path / "link.wav"), str(tmp_path / "in" / ".." / "in" / "a.wav")),
        folders=(str(tmp_path / "in"), str(tmp_path / "linked")),
        patterns=(str(tmp_path / "**" / "*.wav"),),
    )

    assert found == ["in/a.wav"]


def test_a_missing_file_stays_in_the_list_to_be_reported(tmp_path: Path) -> None:
    sound(tmp_path / "b.wav")

    assert find(tmp_path, files=(str(tmp_path / "b.wav"), str(tmp_path / "a.wav"))) == ["b.wav", "a.wav"]


def test_a_missing_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    sound(tmp_path / "here" / "a.wav")

    with pytest.raises(FileMissing, match="gone") as caught:
        find(tmp_path, folders=(str(tmp_path / "here"), str(tmp_path / "gone")))

    assert caught.value.path == str(tmp_path / "gone")


def test_a_folder_without_audio_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")

    with pytest.raises(FileMissing, match="no audio in") as caught:
        find(tmp_path, folders=(str(tmp_path),))

    assert caught.value.path == str(tmp_path)
    assert ".wav" in str(caught.value.hint)


def test_one_folder_without_audio_among_others_is_only_a_warning(tmp_path: Path) -> None:
    sound(tmp_path / "here" / "a.wav")
    (tmp_path / "empty").mkdir()
    chosen = InputConfig(
        folders=(str(tmp_path / "here"), str(tmp_path / "empty")), patterns=(str(tmp_path / "*.flac"),)
    )

    found = look_for_recordings(chosen, CancelToken())

    assert len(found.recordings) == 1
    assert not found.problems
    assert ["empty" in found.warnings[0], "*.flac" in found.warnings[1]] == [True, True]


def test_a_config_that_names_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="names no recordings"):
        find(tmp_path)


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    chosen = InputConfig(folders=(str(tmp_path / "x"), str(tmp_path / "y")))

    found = look_for_recordings(chosen, CancelToken())

    assert [place for place, _ in found.problems] == ["$.input.folders[0]", "$.input.folders[1]"]


def test_a_pattern_that_spells_an_ending_out_may_name_any(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"?")

    assert find(tmp_path, patterns=(str(tmp_path / "*.xyz"),)) == ["a.xyz"]


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_not_utf8_are_recordings_like_others(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(odd, "wb") as file:  # noqa: PTH123
        file.write(b"x")

    found = find_recordings(InputConfig(folders=(str(tmp_path),)), CancelToken())
    again = find_recordings(InputConfig(files=(f"file://{tmp_path}/caf%E9.wav",)), CancelToken())

    assert [os.fsencode(path) for path in found] == [odd]
    assert again == found


def test_looking_stops_when_cancelled(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav")
    token = CancelToken()
    token.cancel()

    with pytest.raises(RequestCancelled):
        find_recordings(InputConfig(folders=(str(tmp_path),)), token)


def test_files_are_sorted_by_what_can_be_scored(tmp_path: Path) -> None:
    good = sound(tmp_path / "good.wav")
    empty = sound(tmp_path / "empty.wav", frames=0)
    (tmp_path / "broken.wav").write_bytes(b"RIFF broken")
    (tmp_path / "notes.txt").write_text("x")
    names = ("good.wav", "empty.wav", "broken.wav", "notes.txt", "none.wav")

    check = check_files([tmp_path / name for name in names], CancelToken())

    assert check.valid == (str(good),)
    assert check.missing == (str(tmp_path / "none.wav"),)
    assert check.unsupported == (str(tmp_path / "notes.txt"),)
    assert check.unreadable == (str(empty), str(tmp_path / "broken.wav"))
