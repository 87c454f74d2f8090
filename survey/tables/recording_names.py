"""Which recording a table belongs to that names none: the one beside it that is called like it.

What lives here: the endings that programs put behind a recording's name. What must not: reading tables.
"""

from __future__ import annotations

import re
from pathlib import Path

from survey.recordings import EXTENSIONS

_TABLE_ENDINGS = re.compile(
    r"(\.table\.\d+)?\.selections\.txt$|\.birdnet\.selection\.table\.txt$|\.birdnet\.results\.[a-z]+$"
    r"|\.(txt|csv|tsv)(\.gz)?$|\.parquet$",
    re.IGNORECASE,
)


def recording_of(table: Path) -> str:
    """The name of the recording that `table` belongs to, with its ending where such a file is in the same folder."""
    stem = _TABLE_ENDINGS.sub("", table.name)
    if Path(stem).suffix.lower() in EXTENSIONS:
        return stem
    beside = (path.name for path in sorted(table.parent.glob(f"{_literally(stem)}.*")))
    return next((name for name in beside if Path(name).suffix.lower() in EXTENSIONS), stem)


def _literally(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)
