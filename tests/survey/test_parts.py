"""Parts hold what was put in, tell what they hold, and survive what interrupts their writing."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpc.errors import DiskFull, PermissionRefused, RequestFailed
from survey.ledger import Stamp
from survey.parts import (
    Basis,
    ClipRange,
    Keep,
    Part,
    PartWriter,
    ScoredClips,
    drop_recordings,
    missing_clips,
    read_parts,
    scored_ranges,
)
from tests.hostile import fill, refusing, small_disk

ALL = Keep(None, None)


def basis(classes=("toad", "frog"), layout="dense") -> Basis:
    return Basis(layout, tuple(classes), "fingerprint", {"model": {}}, "sha256:0")


def clips(file="/a.wav", first=0, scores=((1.0, 2.0),), total=None, mtime=1, unreadable=()) -> ScoredClips:
    """Consecutive clips of 5 s."""
    values = np.array(scores, dtype=np.float32)
    starts = (np.arange(len(values)) + first) * 5.0
    held = ClipRange(
        recording=Stamp(file, 100, mtime),
        first=first,
        count=len(values),
        total=total or first + len(values),
        start_seconds=float(starts[0]),
        end_seconds=float(starts[-1] + 5),
        audio_seconds=5.0 * len(values),
        unreadable=tuple(unreadable),
    )
    return ScoredClips(held, starts, starts + 5.0, values)


def closed(writer: PartWriter) -> Part:
    part = writer.close_part()
    assert part is not None
    return part


def rows_of(part):
    return duckdb.sql(f"SELECT * FROM read_parquet('{part.path}')").fetchall()


def test_a_dense_part_reads_back_as_it_was_added(tmp_path):
    # Arrange
    writer = PartWriter(tmp_path, basis(), ALL)
    writer.add(clips("/site's/ü.wav", scores=((1.5, -2.0), (np.nan, np.nan)), unreadable=(1,)))
    writer.add(clips("/b.wav", first=3, scores=((0.25, 4.0),), total=9))

    # Act
    part = closed(writer)
    (read,) = read_parts(tmp_path)

    # Assert
    assert read == part
    assert read.path.name == "part-000001.parquet"
    assert rows_of(read) == [
        ("/site's/ü.wav", 0.0, 5.0, 1.5, -2.0),
        ("/site's/ü.wav", 5.0, 10.0, None, None),
        ("/b.wav", 15.0, 20.0, 0.25, 4.0),
    ]
    assert [(held.recording.file, held.first, held.count, held.total) for held in read.header.ranges] == [
        ("/site's/ü.wav", 0, 2, 2),
        ("/b.wav", 3, 1, 9),
    ]
    assert read.header.ranges[0].unreadable == (1,)


def test_classes_that_differ_only_in_case_keep_their_columns(tmp_path):
    writer = PartWriter(tmp_path, basis(("Toad", "toad", "TOAD")), ALL)
    writer.add(clips(scores=((1.0, 2.0, 3.0),)))

    part = closed(writer)

    assert rows_of(part)[0][3:] == (1.0, 2.0, 3.0)
    assert part.header.basis.classes == ("Toad", "toad", "TOAD")


def test_neighbouring_ranges_of_a_recording_are_one(tmp_path):
    writer = PartWriter(tmp_path, basis(), ALL)
    for first in range(3):
        writer.add(clips(first=first, total=3))

    part = closed(writer)

    (held,) = part.header.ranges
    assert (held.first, held.count, held.start_seconds, held.end_seconds, held.audio_seconds) == (0, 3, 0, 15, 15)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_sparse_layout_keeps_what_reaches_the_threshold_or_is_among_the_highest(data, tmp_path_factory):
    # Arrange
    shape = (data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6)))
    number = st.one_of(st.integers(-3, 3).map(float), st.just(float("nan")))
    scores = np.array(data.draw(st.lists(number, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])))
    scores = scores.reshape(shape)
    threshold = data.draw(st.one_of(st.none(), st.integers(-3, 3).map(float)))
    top_k = data.draw(st.one_of(st.none(), st.integers(1, 7)))
    names = tuple(f"class {index}" for index in range(shape[1]))

    # Act
    writer = PartWriter(tmp_path_factory.mktemp("parts"), basis(names, "sparse"), Keep(threshold, top_k))
    writer.add(clips(scores=scores))
    kept = {(int(row[1] // 5), row[3]): row[4] for row in rows_of(closed(writer))}

    # Assert
    expected: dict[tuple[int, str], float] = {}
    for clip, row in enumerate(scores):
        ranked = sorted((index for index in range(shape[1]) if not np.isnan(row[index])), key=lambda i: (-row[i], i))
        best = set(ranked[: top_k or 0])
        reaching = {index for index in ranked if threshold is not None and row[index] >= threshold}
        expected |= {(clip, names[index]): row[index] for index in best | reaching}
    assert kept == expected


def test_parts_are_numbered_on_after_a_restart(tmp_path):
    for _ in range(2):
        writer = PartWriter(tmp_path, basis(), ALL)
        writer.add(clips())
        closed(writer)

    assert [part.path.name for part in read_parts(tmp_path)] == ["part-000001.parquet", "part-000002.parquet"]


def test_what_a_crash_left_aside_is_swept_and_a_damaged_part_put_aside(tmp_path):
    # Arrange
    writer = PartWriter(tmp_path, basis(), ALL)
    writer.add(clips())
    whole = closed(writer)
    leftover = tmp_path / ".part-000002.parquet.0badcafe.partial"
    leftover.write_bytes(b"half")
    (tmp_path / "part-000002.parquet").write_bytes(whole.path.read_bytes()[:-20])

    # Act
    parts = read_parts(tmp_path)

    # Assert
    assert parts == (whole,)
    assert not leftover.exists()
    assert (tmp_path / "part-000002.parquet.damaged").exists()
    writer = PartWriter(tmp_path, basis(), ALL)
    writer.add(clips())
    assert closed(writer).path.name == "part-000003.parquet"


def test_recordings_can_be_dropped_from_a_part(tmp_path):
    # Arrange
    writer = PartWriter(tmp_path, basis(), ALL)
    writer.add(clips("/a.wav"))
    writer.add(clips("/b's.wav"))
    part = closed(writer)

    # Act
    untouched = drop_recordings(part, {"/c.wav"})
    left = drop_recordings(part, {"/b's.wav"})
    assert left is not None

    # Assert
    assert untouched is part
    assert [row[0] for row in rows_of(left)] == ["/a.wav"]
    assert read_parts(tmp_path) == (left,)
    assert drop_recordings(left, {"/a.wav"}) is None
    assert read_parts(tmp_path) == ()


def test_a_part_that_cannot_be_written_loses_nothing(tmp_path):
    # Arrange
    folder = tmp_path / "scores"
    folder.mkdir()
    writer = PartWriter(folder, basis(), ALL)
    writer.add(clips())
    folder.rmdir()

    # Act
    with pytest.raises(RequestFailed):
        closed(writer)
    folder.mkdir()
    part = closed(writer)

    # Assert
    assert len(rows_of(part)) == 1


def test_a_refused_write_says_so(tmp_path):
    writer = PartWriter(tmp_path, basis(), ALL)
    writer.add(clips())

    with refusing(tmp_path), pytest.raises(PermissionRefused, match=r"part-000001\.parquet"):
        closed(writer)


def test_a_full_disk_says_so_and_the_part_can_be_closed_later(tmp_path):
    with small_disk(tmp_path, "300k") as folder:
        # Arrange
        writer = PartWriter(folder, basis(), ALL)
        writer.add(clips(scores=np.random.default_rng(0).normal(size=(2000, 2))))
        ballast = fill(folder)

        # Act
        with pytest.raises(DiskFull, match=r"part-000001\.parquet"):
            closed(writer)
        ballast.unlink()
        part = closed(writer)

        # Assert
        assert len(rows_of(part)) == 2000
        assert [path.name for path in folder.iterdir()] == ["part-000001.parquet"]


def test_ranges_and_gaps(tmp_path):
    # Arrange
    writer = PartWriter(tmp_path, basis(), ALL)
    for first in (6, 2):
        writer.add(clips(first=first, scores=((0.0, 0.0),) * 2, total=10))
        closed(writer)

    # Act
    held = scored_ranges(read_parts(tmp_path))["/a.wav"]

    # Assert
    assert [one.first for one in held] == [2, 6]
    assert missing_clips(held, 10) == [(0, 2), (4, 2), (8, 2)]
    assert missing_clips(held, 8) == [(0, 2), (4, 2)]
    assert missing_clips([], 3) == [(0, 3)]
    assert missing_clips([], 0) == []
