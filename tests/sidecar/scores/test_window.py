"""sidecar.scores.window and merged: some places of an order, against putting everything in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.scores import window as module
from sidecar.scores.merged import merged_window
from sidecar.scores.window import window
from survey.tables.kept import LongScores

numbers = st.sampled_from([-np.inf, -2.0, 0.0, 1.0, 2.0, 3.5, np.inf])


@given(
    keys=st.lists(st.tuples(numbers, st.integers(0, 3)), max_size=40), first=st.integers(0, 45), size=st.integers(1, 9)
)
@pytest.mark.parametrize("worth_it", [0, 100])
def test_a_window_is_a_part_of_all_in_order(
    worth_it: int, keys: list[tuple[float, int]], first: int, size: int
) -> None:
    columns = (np.array([key[0] for key in keys]), np.array([key[1] for key in keys], np.int64), np.arange(len(keys)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WORTH_IT", worth_it)
        found = window(columns, first, first + size)

    expected = sorted(range(len(keys)), key=lambda place: (*keys[place], place))[first : first + size]
    assert found.tolist() == expected


@given(
    classes=st.lists(st.lists(numbers, max_size=12), min_size=1, max_size=5),
    skipped=st.integers(0, 2),
    first=st.integers(0, 50),
    size=st.integers(1, 20),
    downwards=st.booleans(),
)
def test_classes_are_merged_as_if_all_were_sorted(
    classes: list[list[float]], skipped: int, first: int, size: int, downwards: bool
) -> None:
    """Every class holds its scores from the highest, equal ones by row; only a part of each is asked for."""
    row = iter(np.random.default_rng(len(classes)).permutation(100).tolist())
    held = [sorted(((score, next(row)) for score in scores), key=lambda one: (-one[0], one[1])) for scores in classes]
    joined = [(score, row, number) for number, scores in enumerate(held) for score, row in scores]
    ends = np.cumsum([0, *map(len, held)])
    column = np.array([score for score, _, _ in joined])
    rows = np.array([row for _, row, _ in joined], np.uint32)
    scores = LongScores(ends, column, rows, rows, None, None)
    begins = np.minimum(ends[:-1] + skipped, ends[1:])

    found = merged_window(scores, begins, ends[1:], first, first + size, downwards=downwards)

    asked = [place for begin, end in zip(begins, ends[1:], strict=True) for place in range(begin, end)]
    sign = -1 if downwards else 1
    expected = sorted(asked, key=lambda place: (sign * joined[place][0], *joined[place][1:]))[first : first + size]
    assert found.tolist() == expected
