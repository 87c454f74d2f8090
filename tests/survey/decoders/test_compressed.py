"""Compressed recordings at many places, against one decode from beginning to end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

import numpy as np
import pytest
import soundfile

from rpc.cancel import CancelToken
from rpc.errors import DecodeFailed
from survey.decoders import ffmpeg
from survey.recordings import open_recording
from tests.sounds import Samples, noise, tone, write_sound

SECONDS = 12
ROUNDING = 5e-7
"""mpg123 adds up in another order when a frame lies elsewhere in its buffer."""


def music(rate: int, channels: int, seconds: float = SECONDS) -> Samples:
    """Loud and quiet stretches, so that a variable bit rate varies and frames borrow from each other."""
    samples = noise(int(rate * seconds), channels, amplitude=0.1)
    samples += tone(700, rate, seconds, 0.3)[: len(samples), np.newaxis]
    samples[np.arange(len(samples)) // rate % 7 > 3] *= 0.001
    return samples


def places(frames: int, count: int = 20) -> list[int]:
    """Many places, more of them near the end, where libsndfile errs most."""
    generator = np.random.default_rng(1)
    anywhere = generator.integers(0, frames - 3000, count)
    near_the_end = generator.integers(max(0, frames - 30_000), frames - 3000, count // 2)
    return [0, 1, frames - 3000, *anywhere.tolist(), *near_the_end.tolist()]


def assert_right_everywhere(path, whole, tolerance):
    with open_recording(path) as recording:
        assert recording.frames == len(whole)
        for start in places(len(whole)):
            difference = recording.read(start, 3000) - whole[start : start + 3000]
            assert np.max(np.abs(difference)) <= tolerance, start


OGG = [
    ("a.ogg", "VORBIS", 44100, 1),
    ("a.ogg", "VORBIS", 22050, 2),
    ("a.oga", "VORBIS", 8000, 1),
    ("a.opus", "OPUS", 48000, 2),
    ("a.opus", "OPUS", 24000, 1),
]


@pytest.mark.parametrize(("name", "subtype", "rate", "channels"), OGG)
def test_ogg(tmp_path, name, subtype, rate, channels):
    path = write_sound(tmp_path / name, music(rate, channels), rate, subtype, format="OGG")
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)

    assert_right_everywhere(path, whole, 0)


def test_vorbis_clip_after_clip_and_backwards(tmp_path):
    path = write_sound(tmp_path / "a.ogg", music(32000, 1), 32000)
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)
    starts = [*range(0, len(whole) - 96_000, 48_000)]

    with open_recording(path) as recording:
        for start in starts + starts[::-1]:
            assert np.array_equal(recording.read(start, 96_000), whole[start : start + 96_000])


def pages(content: bytes) -> list[tuple[int, int]]:
    found, place = [], 0
    while place < len(content):
        segments = content[place + 26]
        end = place + 27 + segments + sum(content[place + 27 : place + 27 + segments])
        found.append((place, end))
        place = end
    return found


def test_vorbis_cut_off_at_its_end(tmp_path):
    path = write_sound(tmp_path / "a.ogg", music(44100, 1), 44100)
    content = path.read_bytes()
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)
    path.write_bytes(content[: pages(content)[-20][0] + 1000])

    with open_recording(path) as recording:
        assert 0 < recording.frames < len(whole)
        for start in places(recording.frames):
            assert np.array_equal(recording.read(start, 3000), whole[start : start + 3000])


def test_two_vorbis_streams_in_one_file(tmp_path):
    """The first is what libsndfile plays."""
    first = write_sound(tmp_path / "a.ogg", music(22050, 1), 22050)
    second = write_sound(tmp_path / "b.ogg", noise(220_500), 22050)
    both = tmp_path / "c.ogg"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    whole, _ = soundfile.read(both, dtype="float32", always_2d=True)

    assert_right_everywhere(both, whole, 0)


MP3 = [
    (mode, level, rate, channels)
    for mode in ("CONSTANT", "VARIABLE")
    for level in (0.2, 0.99)
    for rate, channels in [(44100, 2), (22050, 1), (8000, 1)]
]


def write_mp3(path, samples, rate, mode, level):
    with soundfile.SoundFile(
        path, "w", rate, samples.shape[1], bitrate_mode=mode, compression_level=level, format="MP3"
    ) as file:
        file.write(samples)
    return path


@pytest.mark.parametrize(("mode", "level", "rate", "channels"), MP3)
def test_mp3(tmp_path, mode, level, rate, channels):
    path = write_mp3(tmp_path / "a.mp3", music(rate, channels), rate, mode, level)
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)

    # The lowest bit rates leave no room for a header with the length: then libsndfile's own is a guess.
    if b"Info" in path.read_bytes()[:2000] or b"Xing" in path.read_bytes()[:2000]:
        assert_right_everywhere(path, whole, ROUNDING)


@pytest.mark.parametrize(("mode", "level", "rate", "channels"), MP3)
@pytest.mark.parametrize("before", [b"", b"ID3\4\0\0\0\0\1\0" + b"\0" * 128])
def test_mp3_without_a_length(tmp_path, mode, level, rate, channels, before):
    """The length is that of all frames, whatever the bit rate of the first says."""
    path = write_mp3(tmp_path / "a.mp3", music(rate, channels), rate, mode, level)
    content = path.read_bytes()
    if b"Info" in content[:2000] or b"Xing" in content[:2000]:
        content = content[second_frame(content) :]
    path.write_bytes(before + content + b"TAG" + b"\0" * 125)

    with open_recording(path) as recording:
        whole = recording.read(0, recording.frames)
        # The encoder's delay and padding stay: at most 4 frames.
        assert 0 <= recording.frames - SECONDS * rate <= 4 * 1152
        assert np.sqrt(np.mean(whole[-3 * rate :] ** 2)) > 1e-4
    plain, _ = soundfile.read(path, dtype="float32", always_2d=True)
    common = min(len(plain), len(whole)) - 1152
    assert np.max(np.abs(plain[:common] - whole[:common])) <= ROUNDING

    assert_right_everywhere(path, whole, ROUNDING)


def second_frame(content: bytes) -> int:
    return next(
        at
        for at in range(4, 4000)
        if content[at : at + 2] == content[:2] and content[at + 2] & 0x0C == content[2] & 0x0C
    )


def test_the_length_of_a_long_mp3_does_not_depend_on_libsndfiles_guess(tmp_path):
    """Quiet first, loud later: the guess is far too long or too short."""
    loud_then_quiet = np.concatenate([noise(44100 * 20), noise(44100 * 20, amplitude=1e-5)])
    path = write_mp3(tmp_path / "a.mp3", loud_then_quiet, 44100, "VARIABLE", 0.5)
    content = path.read_bytes()
    path.write_bytes(content[second_frame(content) :])

    with open_recording(path) as recording:
        assert recording.duration_seconds == pytest.approx(40, abs=0.1)


def test_an_mp3_with_rubbish_in_the_middle(tmp_path):
    path = write_mp3(tmp_path / "a.mp3", music(22050, 1), 22050, "CONSTANT", 0.5)
    content = path.read_bytes()
    content = content[second_frame(content) :]
    path.write_bytes(content[: len(content) // 2] + b"\0" * 3000 + content[len(content) // 2 :])

    with open_recording(path) as recording:
        assert recording.duration_seconds == pytest.approx(SECONDS, abs=0.5)
        recording.read(recording.frames - 30_000, 3000)


@pytest.fixture
def ffmpeg_program(monkeypatch, tmp_path_factory):
    """An ffmpeg on the PATH: the system's, or the one of imageio-ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        program = pytest.importorskip("imageio_ffmpeg", reason="needs ffmpeg").get_ffmpeg_exe()
        folder = tmp_path_factory.mktemp("bin")
        (folder / "ffmpeg").symlink_to(program)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.mark.parametrize(("extension", "codec"), [("m4a", "aac"), ("aac", "aac"), ("wma", "wmav2")])
def test_formats_of_ffmpeg(tmp_path, ffmpeg_program, extension, codec):
    wave = write_sound(tmp_path / "a.wav", music(44100, 2, 10), 44100)
    path = tmp_path / f"a: b.{extension}"
    encode = [ffmpeg_program, "-v", "error", "-i", str(wave), "-c:a", codec, "-b:a", "192k", f"file:{path}"]
    subprocess.run(encode, check=True)
    decode = [ffmpeg_program, "-v", "error", "-i", f"file:{path}", "-f", "f32le", "-"]
    whole = np.frombuffer(subprocess.run(decode, check=True, capture_output=True).stdout, "<f4").reshape(-1, 2)

    assert_right_everywhere(path, whole, 0)
    with open_recording(path) as recording:
        assert (recording.format, recording.channels) == (extension.upper(), 2)


def test_without_ffmpeg_the_error_says_so(tmp_path, monkeypatch):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x18ftypM4A " + b"\0" * 100)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DecodeFailed, match="ffmpeg, which is not installed") as error:
        open_recording(path)

    assert "PATH" in (error.value.hint or "")


def test_what_ffmpeg_cannot_read_either(tmp_path, ffmpeg_program):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x18ftypM4A " + b"\0" * 100)

    with pytest.raises(DecodeFailed, match="ffmpeg says"):
        open_recording(path)


def test_a_changed_file_is_decoded_anew(tmp_path, ffmpeg_program):
    path = tmp_path / "a.m4a"
    for seconds in (2, 3):
        wave = write_sound(tmp_path / "a.wav", tone(500, 44100, seconds), 44100)
        subprocess.run([ffmpeg_program, "-v", "error", "-y", "-i", str(wave), str(path)], check=True)
        with open_recording(path) as recording:
            assert recording.duration_seconds == pytest.approx(seconds, abs=0.1)


def test_decoded_files_make_room(tmp_path, ffmpeg_program, monkeypatch):
    monkeypatch.setattr(ffmpeg, "_KEPT_BYTES", 1_000_000)
    decoded = ffmpeg._Decoded()
    waves = [write_sound(tmp_path / f"{number}.wav", noise(150_000), 44100) for number in range(3)]

    kept = [decoded.get(wave, CancelToken()) for wave in waves]

    assert [path.exists() for path in kept] == [False, False, True]
    assert kept[-1].read_bytes()[:4] == b"RIFF"
    assert decoded.get(waves[0], CancelToken()).exists()


def test_what_a_killed_process_has_left_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    old, young = tmp_path / "dipper-decoded-1", tmp_path / "dipper-decoded-2"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (5, 5))

    ffmpeg._sweep_abandoned()

    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.parametrize("cut", [1, 100, 300, 5000])
def test_an_mp3_without_a_length_that_is_cut_off(tmp_path, cut):
    path = write_mp3(tmp_path / "a.mp3", music(44100, 1), 44100, "CONSTANT", 0.5)
    content = path.read_bytes()
    path.write_bytes(content[second_frame(content) : -cut])

    with open_recording(path) as recording:
        whole = recording.read(0, recording.frames)

    assert_right_everywhere(path, whole, ROUNDING)
