"""When and where recordings were made, as far as their paths tell, for groups of scores.

What lives here: the site and the beginning of a recording. What must not: SQL of questions, opening recordings.

A site is a folder, seen from the folder that all recordings have in common. Where all of them lie in one folder, it is
what stands before the time in their names: S1 of S1_20240512_053000.WAV.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

import duckdb
import numpy as np

from survey.metadata import time_from_name

_EPOCH = datetime(1970, 1, 1)
_BEFORE_TIME = re.compile(r"^(.+?)[_ -]*(?<!\d)(?:19|20)\d{2}([-_]?)[01]\d\2[0-3]\d(?=[T_ -]|$)")
"""An AudioMoth's own number may hold eight digits, too: 2484510460368C0F_20240512_053000."""


def add_groups(cursor: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """Make a view `places(path, site, began)` of recordings; `began` in seconds of the recorder's clock, or NULL."""
    cursor.register("given_places", _places(tuple(names)))
    # Names without a time come as NaN, for numpy has no NULL.
    cursor.execute(
        "CREATE OR REPLACE TEMP VIEW places AS "
        "SELECT path, nullif(site, '') AS site, CASE WHEN NOT isnan(began) THEN began END AS began FROM given_places"
    )


@functools.lru_cache(maxsize=4)  # tens of milliseconds for thousands of names, and the same for every question
def _places(names: tuple[str, ...]) -> dict[str, np.ndarray]:
    sites = sites_of(names)
    return {
        "path": np.array(names, dtype=object),
        "site": np.array([sites[name] for name in names], dtype=object),
        "began": np.array([_began(name) for name in names], dtype=np.float64),
    }


_MOMENT = 'make_timestamp(CAST((began + "start") * 1000000 AS BIGINT))'

GROUP_SQL = {
    "file": "path",
    "site": "site",
    "date": f"TRY(strftime({_MOMENT}, '%Y-%m-%d'))",
    "hour": f"TRY(strftime({_MOMENT}, '%H'))",
}
"""The key of a group, from path, start and the columns of `places`; NULL where a time is beyond all calendars."""


def sites_of(names: Sequence[str]) -> dict[str, str]:
    """The site of each recording; an empty text where nothing tells."""
    paths = {name: PurePosixPath(name.replace("\\", "/")) for name in names}
    folders = {path.parent for path in paths.values()}
    if len(folders) < 2:
        return {name: _before_time(path.stem) for name, path in paths.items()}
    common = _common_parts([folder.parts for folder in folders])
    return {name: str(PurePosixPath(*path.parent.parts[common:])) for name, path in paths.items()}


def _before_time(stem: str) -> str:
    match = _BEFORE_TIME.match(stem)
    return match.group(1) if match else ""


def _common_parts(folders: Sequence[tuple[str, ...]]) -> int:
    """How many parts all of `folders` begin with."""
    shortest, longest = min(folders), max(folders)
    differing = (index for index, (a, b) in enumerate(zip(shortest, longest, strict=False)) if a != b)
    return next(differing, min(len(shortest), len(longest)))


def _began(name: str) -> float:
    began = time_from_name(Path(name.replace("\\", "/"))).recorded_at
    return float("nan") if began is None else (began.replace(tzinfo=None) - _EPOCH).total_seconds()
