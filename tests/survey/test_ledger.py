"""The ledger gives back what was entered, also after half a line."""

from __future__ import annotations

import pytest

from rpc.errors import DiskFull, PermissionRefused
from survey.ledger import Done, Failed, Ledger, Stamp, Started, last_events
from tests.hostile import fill, refusing, small_disk

A, B = Stamp("/a.wav", 10, 1), Stamp("/b's ü.wav", 20, 2)


def test_no_ledger_holds_no_events(tmp_path):
    assert Ledger(tmp_path / "ledger.jsonl").read() == []


def test_events_read_back_in_order_with_their_time(tmp_path):
    # Arrange
    ledger = Ledger(tmp_path / "ledger.jsonl")

    # Act
    ledger.append(Started(recording=A), durable=False)
    ledger.append(
        Done(recording=A, clips=3, audio_seconds=12.5, unreadable=1), Failed(recording=B, code=1002, message="no")
    )
    ledger.append()
    events = Ledger(ledger.path).read()

    # Assert
    assert [type(event) for event in events] == [Started, Done, Failed]
    assert [event.recording for event in events] == [A, A, B]
    assert all(event.at.endswith("+00:00") for event in events)
    assert last_events(events) == {"/a.wav": events[1], "/b's ü.wav": events[2]}
    assert len(ledger.path.read_bytes().splitlines()) == 3


@pytest.mark.parametrize("torn", [b'{"event":"done","recor', b"\xff\xfe", b"null"])
def test_half_a_line_is_passed_over_and_the_next_event_is_whole(tmp_path, torn):
    # Arrange
    path = tmp_path / "ledger.jsonl"
    Ledger(path).append(Started(recording=A))
    path.write_bytes(path.read_bytes() + torn)

    # Act
    ledger = Ledger(path)
    before = ledger.read()
    ledger.append(Started(recording=B))

    # Assert
    assert [event.recording for event in before] == [A]
    assert [event.recording for event in Ledger(path).read()] == [A, B]


def test_a_refused_write_says_so(tmp_path):
    with refusing(tmp_path), pytest.raises(PermissionRefused):
        Ledger(tmp_path / "ledger.jsonl").append(Started(recording=A))


def test_after_a_full_disk_the_ledger_goes_on(tmp_path):
    with small_disk(tmp_path, "64k") as folder:
        # Arrange
        ledger = Ledger(folder / "ledger.jsonl")
        ledger.append(Started(recording=A))
        ballast = fill(folder)

        # Act
        with pytest.raises(DiskFull):
            ledger.append(*(Done(recording=B, clips=1, audio_seconds=1.0) for _ in range(200)))
        ballast.unlink()
        ledger.append(Started(recording=B))

        # Assert
        events = Ledger(ledger.path).read()
        assert (events[0].recording, events[-1]) == (A, events[-1])
        assert isinstance(events[-1], Started)
        assert events[-1].recording == B
