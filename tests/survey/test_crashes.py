"""Who is suspected after a crash, and who is passed over."""

from __future__ import annotations

from datetime import UTC, datetime

from survey.crashes import got_through, in_hand, judge
from survey.ledger import AnyEvent, Crashed, Done, Ending, Failed, Scored, Stamp, Started

A, B, CHANGED = Stamp("a.wav", 1, 1), Stamp("b.wav", 1, 1), Stamp("a.wav", 2, 2)
BEFORE, NOW = "2024-05-12T05:29:00.000+00:00", "2024-05-12T05:31:00.000+00:00"
BEGAN = datetime(2024, 5, 12, 5, 30, tzinfo=UTC)


def started(stamp: Stamp, at: str = NOW) -> Started:
    return Started(recording=stamp, at=at)


def crashed(stamp: Stamp, at: str = NOW, by: Ending = "fault") -> Crashed:
    return Crashed(recording=stamp, at=at, by=by)


def failed(stamp: Stamp, code: int, at: str = NOW) -> Failed:
    return Failed(recording=stamp, at=at, code=code, message="")


def done(stamp: Stamp) -> Done:
    return Done(recording=stamp, at=NOW, clips=1, audio_seconds=1.0)


def test_in_hand_is_what_was_begun_in_this_run_and_of_which_nothing_was_heard() -> None:
    through = [Stamp(name, 1, 1) for name in ("scored.wav", "done.wav", "failed.wav", "crashed.wav")]
    events: list[AnyEvent] = [started(Stamp("earlier.wav", 1, 1), BEFORE), *map(started, (*through, A, B))]
    events += [Scored(recording=through[0], at=NOW), done(through[1]), failed(through[2], 1002), crashed(through[3])]

    assert in_hand(events, BEGAN) == [A, B]
    assert got_through(events, BEGAN) == 1


def test_one_crash_makes_a_suspect_and_the_second_a_culprit() -> None:
    once, twice = judge([crashed(A)], BEGAN)[A], judge([crashed(A), started(A), crashed(A)], BEGAN)[A]

    assert (once.suspect, once.guilty) == (True, False)
    assert twice.guilty


def test_a_kill_may_have_come_from_outside_so_it_takes_one_more() -> None:
    kill = crashed(A, by="kill")

    assert [judge([kill] * count, BEGAN)[A].guilty for count in (1, 2, 3)] == [False, False, True]
    assert not judge([kill, crashed(A)], BEGAN)[A].guilty
    assert judge([kill, crashed(A), crashed(A)], BEGAN)[A].guilty
    before = [crashed(A, BEFORE), failed(A, 1008, BEFORE)]
    assert [judge([*before, *[kill] * count], BEGAN)[A].guilty for count in (1, 2)] == [False, True]


def test_a_culprit_stays_one_in_its_run_and_gets_one_more_chance_in_the_next() -> None:
    in_this_run = [crashed(A), crashed(A), failed(A, 1008)]
    in_the_next = [crashed(A, BEFORE), crashed(A, BEFORE), failed(A, 1008, BEFORE)]

    assert judge(in_this_run, BEGAN)[A].guilty
    assert (judge(in_the_next, BEGAN)[A].suspect, judge(in_the_next, BEGAN)[A].guilty) == (True, False)
    assert judge([*in_the_next, crashed(A)], BEGAN)[A].guilty


def test_a_recording_that_got_through_or_was_changed_is_under_no_suspicion() -> None:
    assert A not in judge([crashed(A), crashed(A), done(A)], BEGAN)
    assert CHANGED not in judge([crashed(A), crashed(A)], BEGAN)
    assert judge([failed(B, 1002)], BEGAN) == {}
