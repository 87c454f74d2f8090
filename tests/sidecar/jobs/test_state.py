"""sidecar.jobs.state: the table."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from schemas.jobs import JobState
from sidecar.jobs.state import ACTIVE, TRANSITIONS, IllegalTransition, follow

STATES: tuple[JobState, ...] = get_args(JobState)


def test_the_table_knows_every_state_and_no_other() -> None:
    assert set(TRANSITIONS) == set(STATES)
    assert all(after <= set(STATES) for after in TRANSITIONS.values())


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATES, STATES)))
def test_a_transition_is_legal_exactly_where_the_table_has_it(before: JobState, after: JobState) -> None:
    if after in TRANSITIONS[before]:
        assert follow(before, after) == after
    else:
        with pytest.raises(IllegalTransition, match=f"{before} cannot become {after}"):
            follow(before, after)


def test_whatever_ends_can_be_resumed_and_whatever_is_active_can_be_interrupted() -> None:
    assert all("queued" in TRANSITIONS[state] for state in set(STATES) - ACTIVE)
    assert all("interrupted" in TRANSITIONS[state] for state in ACTIVE)


def test_every_state_can_be_reached() -> None:
    reached: set[JobState] = {"queued"}
    while more := {after for state in reached for after in TRANSITIONS[state]} - reached:
        reached |= more

    assert reached == set(STATES)
