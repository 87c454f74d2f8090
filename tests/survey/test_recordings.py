"""Opening and reading recordings, against soundfile's own whole read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rpc.errors import DecodeFailed, FileMissing
from survey.recordings import open_recording
from tests.sounds import noise, write_sound

KINDS = [
    ("wav", "PCM_U8", "WAV"),
    ("wav", "PCM_16", "WAV"),
    ("wav", "PCM_24", "WAV"),
    ("wav", "PCM_32", "WAV"),
    ("wav", "FLOAT", "WAV"),
    ("wav", "DOUBLE", "WAV"),
    ("wav", "ULAW", "WAV"),
    ("wav", "PCM_16", "WAVEX"),
    ("wav", "PCM_24", "RF64"),
    ("w64", "PCM_16", "W64"),
    ("flac", "PCM_16", "FLAC"),
    ("flac", "PCM_24", "FLAC"),
    ("aiff", "PCM_16", "AIFF"),
]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("extension", "subtype", "kind"), KINDS)
def test_any_part_equals_the_whole_read(tmp_path, extension, subtype, kind, channels):
    path = write_sound(tmp_path / f"a.{extension}", noise(50_000, channels), subtype=subtype, format=kind)
    whole, rate = soundfile.read(path, dtype="float32", always_2d=True)

    with open_recording(path) as recording:
        assert (recording.frames, recording.sample_rate, recording.channels) == (50_000, rate, channels)
        for start, count in [(40_000, 10_000), (0, 1), (12_345, 678), (0, 50_000), (49_999, 1), (100, 0)]:
            assert np.array_equal(recording.read(start, count), whole[start : start + count])


def test_outside_the_recording_is_a_bug_of_the_caller(tmp_path):
    with open_recording(write_sound(tmp_path / "a.wav", noise(10))) as recording:
        for start, count in [(-1, 2), (9, 2), (0, -1)]:
            with pytest.raises(ValueError, match="outside"):
                recording.read(start, count)


def test_a_name_that_is_not_utf8(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xe9sange.wav"))
    write_sound(tmp_path / "a.wav", noise(100)).rename(path)

    with open_recording(path) as recording:
        assert recording.frames == 100


@pytest.mark.parametrize("content", [b"hello, this is text" * 100, b"RIFF", b"RIFF\x24\0\0\0WAVE", b"\0" * 5000])
def test_what_is_no_sound(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)

    with pytest.raises(DecodeFailed) as error:
        open_recording(path)

    assert str(path) in error.value.message
    assert error.value.path == str(path)


def test_each_unreadable_thing_has_its_sentence(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    write_sound(tmp_path / "no_samples.wav", noise(0))

    for name, words in [
        ("empty.wav", "is empty"),
        ("folder.wav", "is a folder"),
        ("pipe.wav", "no ordinary file"),
        ("no_samples.wav", "holds no samples"),
    ]:
        with pytest.raises(DecodeFailed, match=words):
            open_recording(tmp_path / name)
    with pytest.raises(FileMissing):
        open_recording(tmp_path / "missing.wav")


CLOSED = """
import sys
from pathlib import Path
from rpc.errors import PermissionRefused
from survey.recordings import open_recording
try:
    open_recording(Path(sys.argv[1]))
except PermissionRefused as error:
    print(error.message)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="permissions of other systems work otherwise")
def test_without_permission(tmp_path):
    """In a process of its own that may not read everything, even when root runs the tests."""
    path = write_sound(tmp_path / "a.wav", noise(10))
    path.chmod(0)
    plain = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []

    result = subprocess.run(
        [*plain, sys.executable, "-c", CLOSED, str(path)], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == f"No permission to read {path}."


def test_a_truncated_flac_reads_up_to_its_end_only(tmp_path):
    path = write_sound(tmp_path / "a.flac", noise(200_000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with open_recording(path) as recording:
        assert np.any(recording.read(0, 1000))
        with pytest.raises(DecodeFailed, match="damaged or cut off"):
            recording.read(190_000, 1000)


def test_a_file_that_disappears_while_it_is_open_stays_readable_or_says_so(tmp_path):
    path = write_sound(tmp_path / "a.wav", noise(100_000))

    with open_recording(path) as recording:
        os.truncate(path, 1000)
        path.unlink()
        with pytest.raises(DecodeFailed, match="has disappeared"):
            recording.read(50_000, 1000)
