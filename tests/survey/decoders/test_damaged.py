"""Damaged recordings: whatever bytes they hold, they are read or refused with a sentence."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpc.errors import RequestFailed
from survey.metadata import read_metadata
from survey.recordings import open_recording
from tests.sounds import noise, write_sound

KINDS = [
    ("a.wav", {}),
    ("a.wav", {"subtype": "PCM_24", "format": "WAVEX"}),
    ("a.wav", {"format": "RF64"}),
    ("a.w64", {"format": "W64"}),
    ("a.flac", {}),
    ("a.ogg", {}),
    ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
    ("a.mp3", {}),
    ("a.aiff", {}),
]
SPLICES = st.tuples(st.floats(0, 1), st.integers(0, 200), st.binary(max_size=50))
HEADER_BYTES = st.tuples(
    st.integers(0, 200), st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x7f"])
)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: f"{kind[0]}-{kind[1].get('format', '')}")
def sound(request, tmp_path_factory):
    name, options = request.param
    return write_sound(tmp_path_factory.mktemp("sound") / name, noise(70_000, 2), 48000, **options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(splices=st.lists(SPLICES, max_size=3), header=st.lists(HEADER_BYTES, max_size=3), place=st.floats(0, 0.999))
def test_it_is_read_or_refused(sound, tmp_path, splices, header, place):
    content = bytearray(sound.read_bytes())
    for where, length, other in splices:
        start = int(where * len(content))
        content[start : start + length] = other
    for at, other in header:
        content[at : at + len(other)] = other
    path = tmp_path / sound.name
    path.write_bytes(content)

    try:
        with open_recording(path) as recording:
            read_metadata(recording)
            start = int(place * recording.frames)
            count = min(1000, recording.frames - start)
            assert recording.read(start, count).shape == (count, recording.channels)
    except RequestFailed as error:
        assert str(path) in error.message


def test_an_mp3_that_announces_more_than_it_has(tmp_path):
    path = write_sound(tmp_path / "a.mp3", noise(480_000), 48000)
    whole = path.stat().st_size
    os.truncate(path, whole // 2)

    with open_recording(path) as recording:
        assert recording.read(100_000, 1000).any()
        for start in (300_000, recording.frames - 1000):
            assert len(recording.read_available(start, 1000)) == 0
            with pytest.raises(RequestFailed, match="cut off"):
                recording.read(start, 1000)
