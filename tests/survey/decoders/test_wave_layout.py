"""WAV files whose header lies, read to their true end."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile

from rpc.errors import DecodeFailed
from survey.recordings import open_recording
from tests.sounds import noise, write_sound

DATA_LENGTH_AT = 40
"""In the plain 44-byte header that libsndfile writes for 16-bit PCM."""


@pytest.fixture
def sound(tmp_path):
    path = write_sound(tmp_path / "a.wav", noise(30_000), subtype="PCM_16")
    return path, soundfile.read(path, dtype="float32", always_2d=True)[0]


def set_data_length(path, length, extra=b""):
    content = bytearray(path.read_bytes())
    assert content[36:40] == b"data"
    content[DATA_LENGTH_AT : DATA_LENGTH_AT + 4] = struct.pack("<I", length)
    path.write_bytes(bytes(content) + extra)


def read_all(path):
    with open_recording(path) as recording:
        return recording.read(0, recording.frames)


LIST_CHUNK = b"LIST" + struct.pack("<I", 18) + b"INFOICMT" + struct.pack("<I", 6) + b"hello\0"


@pytest.mark.parametrize("length", [0, 2, 10_000, 0xFFFFFFFF, 1 << 31, 60_000])
def test_a_wrong_length_loses_nothing(sound, length):
    path, samples = sound
    set_data_length(path, length)

    assert np.array_equal(read_all(path), samples)


@pytest.mark.parametrize("rest", [LIST_CHUNK, LIST_CHUNK * 3, b"junk", b"\0" * 100])
def test_what_follows_an_honest_length_is_no_sound(sound, rest):
    path, samples = sound
    set_data_length(path, 60_000, rest)

    assert np.array_equal(read_all(path), samples)


def test_an_honest_length_of_zero(sound):
    path, _ = sound
    path.write_bytes(path.read_bytes()[:DATA_LENGTH_AT] + b"\0\0\0\0" + LIST_CHUNK)

    with pytest.raises(DecodeFailed, match="no samples"):
        open_recording(path)


def test_an_odd_length_without_its_padding_byte(tmp_path):
    path = write_sound(tmp_path / "a.wav", noise(1001), subtype="PCM_U8")
    path.write_bytes(path.read_bytes()[: 44 + 1001] + LIST_CHUNK)

    assert len(read_all(path)) == 1001
    with open_recording(path) as recording:
        assert recording.read_chunks(b"LIST") == [LIST_CHUNK[8:]]


def test_half_a_frame_at_the_end(tmp_path):
    path = write_sound(tmp_path / "a.wav", noise(30_000, channels=2), subtype="PCM_16")
    samples = soundfile.read(path, dtype="float32", always_2d=True)[0]
    set_data_length(path, 0, b"\x01\x02\x03")

    assert np.array_equal(read_all(path), samples)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_a_length_of_zero_in_every_sample_format(tmp_path, subtype):
    path = write_sound(tmp_path / "a.wav", noise(30_000), subtype=subtype)
    samples = soundfile.read(path, dtype="float32", always_2d=True)[0]
    content = bytearray(path.read_bytes())
    place = content.index(b"data")
    end = place + 8 + struct.unpack_from("<I", content, place + 4)[0]
    struct.pack_into("<I", content, place + 4, 0)
    path.write_bytes(content[:end])

    assert np.array_equal(read_all(path), samples)


@pytest.mark.parametrize("declared", ["modulo", "maximum", "zero"])
def test_a_plain_wav_above_4_gib(tmp_path, declared):
    """Sparse: it takes no room on the disk."""
    path = tmp_path / "big.wav"
    data_bytes = (1 << 32) + 200_000
    length = {"modulo": data_bytes % (1 << 32), "maximum": 0xFFFFFFFF, "zero": 0}[declared]
    header = b"RIFF" + struct.pack("<I", (36 + data_bytes) % (1 << 32)) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16) + b"data" + struct.pack("<I", length)
    marks = {0: 1000, (1 << 31) - 5: 2000, data_bytes // 2 - 1: 3000}
    with path.open("wb") as file:
        file.write(header)
        for frame, value in marks.items():
            file.seek(len(header) + 2 * frame)
            file.write(struct.pack("<h", value))

    with open_recording(path) as recording:
        assert recording.frames == data_bytes // 2
        for frame, value in marks.items():
            assert recording.read(frame, 1)[0, 0] == np.float32(value / 32768)


def test_rf64_above_4_gib(tmp_path):
    path = tmp_path / "big.wav"
    data_bytes = (1 << 32) + 200_000
    header = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack(
        "<IQQQI", 28, 72 + data_bytes, data_bytes, data_bytes // 2, 0
    )
    header += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16) + b"data\xff\xff\xff\xff"
    with path.open("wb") as file:
        file.write(header)
        file.seek(len(header) + data_bytes - 2)
        file.write(struct.pack("<h", 3000))

    with open_recording(path) as recording:
        assert recording.frames == data_bytes // 2
        assert recording.read(recording.frames - 1, 1)[0, 0] == np.float32(3000 / 32768)
