"""When and where recordings were made, from chunks written by others and from names as recorders give them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import guano
import pytest
import soundfile

from survey.metadata import read_metadata, time_from_name
from survey.recordings import open_recording
from tests.sounds import noise, write_sound


def with_chunks(path, *chunks, before=b""):
    """A small WAV with more chunks, before and after its data."""
    write_sound(path, noise(1000), subtype="PCM_16")
    sound = path.read_bytes()
    body = sound[12:36] + before + sound[36:]
    for name, content in chunks:
        body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)
    return path


def metadata_of(path):
    with open_recording(path) as recording:
        return read_metadata(recording)


def test_guano_as_its_own_library_writes_it(tmp_path):
    path = write_sound(tmp_path / "a.wav", noise(1000), subtype="PCM_16")
    written = guano.GuanoFile(str(path))
    written["GUANO|Version"] = 1.0
    written["Make"], written["Model"], written["Serial"] = "Open Acoustic Devices", "AudioMoth", "243B1F02"
    written["Timestamp"] = datetime(2024, 5, 12, 5, 30, tzinfo=guano.tzoffset("-07:00"))
    written["Loc Position"] = (47.1234, -122.5)
    written["Temperature Int"] = "11.5"
    written["Note"] = "two\nlines"
    written.write(make_backup=False)

    found = metadata_of(path)

    assert found.recorded_at == datetime(2024, 5, 12, 5, 30, tzinfo=timezone(timedelta(hours=-7)))
    assert found.time_source == "guano"
    assert found.device == "Open Acoustic Devices AudioMoth 243B1F02"
    assert (found.latitude, found.longitude) == (47.1234, -122.5)
    assert found.temperature_c == 11.5
    assert found.comment == "two\nlines"


def test_guano_without_a_zone_has_none(tmp_path):
    path = with_chunks(tmp_path / "a.wav", (b"guan", b"GUANO|Version:1.0\nTimestamp:2024-05-12T05:30:00\nno colon\n"))

    assert metadata_of(path).recorded_at == datetime(2024, 5, 12, 5, 30)


@pytest.mark.parametrize(
    ("gps", "position"),
    [
        ("WGS84, 42.32440, N, 71.32480, W", (42.3244, -71.3248)),
        ("WGS84,12.5,S,130.25,E", (-12.5, 130.25)),
        ("WGS84, -33.5, 151.2, 20", (-33.5, 151.2)),
        ("WGS84, somewhere", (None, None)),
        ("WGS84, 142.3, N, 71.3, W", (None, None)),
    ],
)
def test_wildlife_acoustics(tmp_path, gps, position):
    fields = {0: b"\1\0", 1: b"SM4", 2: b"S4A02641", 5: b"2025-02-20 17:00:00-05:00", 6: gps.encode(), 0xFFFF: b"\0"}
    content = b"".join(struct.pack("<HI", kind, len(value)) + value for kind, value in fields.items())

    found = metadata_of(with_chunks(tmp_path / "a.wav", (b"wamd", content)))

    assert found.recorded_at == datetime(2025, 2, 20, 17, tzinfo=timezone(timedelta(hours=-5)))
    assert (found.time_source, found.device) == ("wamd", "SM4 S4A02641")
    assert (found.latitude, found.longitude) == position


@pytest.mark.parametrize(("day", "clock"), [(b"2024-05-12", b"05:30:00"), (b"2024:05:12", b"05-30-00")])
def test_broadcast_wave(tmp_path, day, clock):
    content = b"dawn at the pond".ljust(256, b"\0") + b"Zoom F3".ljust(32, b"\0") + b"\0" * 32 + day + clock
    path = with_chunks(tmp_path / "a.wav", (b"bext", content.ljust(602, b"\0")))

    found = metadata_of(path)

    assert (found.recorded_at, found.time_source) == (datetime(2024, 5, 12, 5, 30), "bext")
    assert (found.device, found.comment) == ("Zoom F3", "dawn at the pond")


@pytest.mark.parametrize(
    ("comment", "moment", "temperature"),
    [
        (
            "Recorded at 10:25:00 04/04/2020 (UTC) by AudioMoth 24526B065D325963 at gain setting 2 "
            "while battery state was 4.7V.",
            datetime(2020, 4, 4, 10, 25, tzinfo=UTC),
            None,
        ),
        (
            "Recorded at 10:00:00 28/05/2024 (UTC-3:30) by AudioMoth 24526B065D325963 at medium gain "
            "while battery was 3.8V and temperature was -2.8C.",
            datetime(2024, 5, 28, 10, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            -2.8,
        ),
        (
            "Recorded at 10:00:00.250 28/05/2024 (UTC+2) by AudioMoth 24526B065D325963 at medium gain "
            "while battery was 3.8V and temperature was 12.0C.",
            datetime(2024, 5, 28, 10, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2))),
            12.0,
        ),
        (
            "Recorded at 10:25:00 04/04/2018 by AudioMoth 24526B065D325963 at gain setting 2 while battery was 4.7V.",
            datetime(2018, 4, 4, 10, 25),
            None,
        ),
    ],
)
@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_audiomoth_comments(tmp_path, comment, moment, temperature, extension):
    path = tmp_path / f"a.{extension}"
    with soundfile.SoundFile(path, "w", 32000, 1, "PCM_16") as file:
        file.comment = comment
        file.write(noise(1000))

    found = metadata_of(path)

    assert (found.recorded_at, found.time_source) == (moment, "audiomoth")
    assert found.recorded_at.utcoffset() == moment.utcoffset()
    assert (found.device, found.temperature_c) == ("AudioMoth 24526B065D325963", temperature)
    assert found.comment == comment


def test_the_first_source_that_knows_is_believed(tmp_path):
    path = with_chunks(
        tmp_path / "20200101_000000.wav",
        (b"bext", (b"\0" * 320 + b"2021-01-01" + b"00:00:00").ljust(602, b"\0")),
        (b"guan", b"Timestamp:2022-01-01T00:00:00Z\n"),
    )

    assert metadata_of(path).recorded_at == datetime(2022, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 5, b"\xff" * 700, b"Timestamp:yesterday", b"INFO\xff\xff\xff\xff\xff\xff\xff\xff"]
)
@pytest.mark.parametrize("name", [b"guan", b"wamd", b"bext", b"LIST"])
def test_damaged_chunks_tell_nothing(tmp_path, name, content):
    assert metadata_of(with_chunks(tmp_path / "a.wav", (name, content))).recorded_at is None


EAST = timezone(timedelta(hours=5, minutes=30))
NAMES = [
    ("20240512_053000.WAV", datetime(2024, 5, 12, 5, 30)),
    ("S1_20240512_053000.WAV", datetime(2024, 5, 12, 5, 30)),
    ("S4A02641_20250220_170000.wav", datetime(2025, 2, 20, 17)),
    ("SMM03873_20220719_000000.wav", datetime(2022, 7, 19)),
    ("SBT-6-76-18_0+1_0_20160621_080000.wav", datetime(2016, 6, 21, 8)),
    ("20240512_053000T.WAV", datetime(2024, 5, 12, 5, 30)),
    ("20240512_053000Z.WAV", datetime(2024, 5, 12, 5, 30, tzinfo=UTC)),
    ("20240512T053000Z.flac", datetime(2024, 5, 12, 5, 30, tzinfo=UTC)),
    ("site_20240512T053000+0530.flac", datetime(2024, 5, 12, 5, 30, tzinfo=EAST)),
    ("SwiftOne_20220719_000000_-0400.wav", datetime(2022, 7, 19, tzinfo=timezone(timedelta(hours=-4)))),
    ("OWL_123456_2022-07-19_T01-02-03.WAV", datetime(2022, 7, 19, 1, 2, 3)),
    ("pond 2022-07-19 01-02-03.wav", datetime(2022, 7, 19, 1, 2, 3)),
    ("2MM01234_20240512_053000.500.wav", datetime(2024, 5, 12, 5, 30, 0, 500_000)),
    ("20240512_053000_001.wav", datetime(2024, 5, 12, 5, 30)),
    ("5E885E50.WAV", datetime(2020, 4, 4, 10, 15, 44, tzinfo=UTC)),
    ("20241312_053000.wav", None),
    ("20240512_256000.wav", None),
    ("20240512.wav", None),
    ("12345678.wav", None),
    ("DEADBEEF.wav", None),
    ("chorus.wav", None),
    ("120240512_0530001.wav", None),
]


@pytest.mark.parametrize(("name", "moment"), NAMES)
def test_file_names(name, moment):
    found = time_from_name(Path("/recordings") / name)

    assert found.recorded_at == moment
    assert found.time_source == (None if moment is None else "fileName")
    if moment is not None:
        assert found.recorded_at.utcoffset() == moment.utcoffset()
