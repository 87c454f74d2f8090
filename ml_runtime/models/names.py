"""Finding the name that somebody probably meant.

What lives here: that. What must not: where names come from.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest_names(wanted: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `wanted`, regardless of case."""
    by_folded = {name.casefold(): name for name in known}
    folded = difflib.get_close_matches(wanted.casefold(), by_folded, n=count, cutoff=0.5)
    return [by_folded[name] for name in folded]
