"""survey.job_report: how far a run came, told from the ledger."""

from __future__ import annotations

from datetime import UTC, datetime

from survey.job_folder import JobRecord
from survey.job_report import with_events
from survey.ledger import Done, Failed, Stamp, Started

BEFORE, AFTER = "2024-05-12T05:29:59.900+00:00", "2024-05-12T05:30:00.100+00:00"
RECORD = JobRecord(
    job_id="1", name="job", state="running", created_at=BEFORE, started_at="2024-05-12T05:30:00+00:00", files_total=5
)


def done(name: str, at: str) -> Done:
    return Done(recording=Stamp(name, 1, 1), at=at, clips=10, audio_seconds=30.0, unreadable=1)


def test_this_run_and_those_before_it_are_told_apart() -> None:
    events = [
        done("before.wav", BEFORE),
        done("changed.wav", BEFORE),
        Failed(recording=Stamp("repaired.wav", 1, 1), at=BEFORE, code=1002, message="no sound"),
        Started(recording=Stamp("changed.wav", 2, 2), at=AFTER),
        done("now.wav", AFTER),
        done("repaired.wav", AFTER),
        Failed(recording=Stamp("broken.wav", 1, 1), at=AFTER, code=1002, message="no sound"),
    ]

    reached = with_events(RECORD, events)

    assert (reached.files_done, reached.files_failed, reached.files_skipped) == (2, 1, 1)
    assert (reached.clips, reached.audio_seconds) == (18, 60.0)
    assert reached.elapsed_seconds == 0.1
    assert with_events(RECORD, events, datetime(2024, 5, 12, 5, 30, 7, tzinfo=UTC)).elapsed_seconds == 7.0


def test_recordings_that_left_the_input_are_not_counted_beyond_the_total() -> None:
    reached = with_events(RECORD, [done(f"{number}.wav", BEFORE) for number in range(9)])

    assert (reached.files_done, reached.files_skipped) == (0, 5)


def test_a_job_that_never_ran_has_done_nothing() -> None:
    assert with_events(RECORD, []) == RECORD
