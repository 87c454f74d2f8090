"""How the long steps of this room tell how far they are."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]
"""What is being done, and how many bytes of how many are done (0 of 0: there is nothing to count)."""


def ignore_progress(_doing: str, _done: int, _total: int) -> None:
    """For callers that do not want to know."""
