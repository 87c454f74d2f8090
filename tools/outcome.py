"""What a suite of tests came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What a suite's report says. `crashed`: it ended without one, or with an error outside any test."""

    passed: int
    failed: int
    skipped: int
    crashed: bool
