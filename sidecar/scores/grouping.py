"""When and where recordings were made, as far as their paths tell, for groups of scores.

What lives here: the site and the beginning of a recording, and the groups that clips belong to. What must not: opening
recordings, counting.

A site is a folder, seen from the folder that all recordings have in common. Where all of them lie in one folder, it is
what stands before the time in their names: S1 of S1_20240512_053000.WAV.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from survey.metadata import time_from_name
from survey.tables.columns import Column
from survey.tables.kept import Clips

Grouping = Literal["file", "site", "date", "hour"]

_EPOCH = datetime(1970, 1, 1)
_CALENDAR = ((datetime.min - _EPOCH).total_seconds(), (datetime.max - _EPOCH).total_seconds())
_HOUR = 3600 * 10**6
_BEFORE_TIME = re.compile(r"^(.+?)[_ -]*(?<!\d)(?:19|20)\d{2}([-_]?)[01]\d\2[0-3]\d(?=[T_ -]|$)")
"""An AudioMoth's own number may hold eight digits, too: 2484510460368C0F_20240512_053000."""


@dataclass(frozen=True)
class Places:
    """When and where the recordings of these names were made; found out when it is first asked."""

    names: tuple[str, ...]

    @cached_property
    def sites(self) -> tuple[str, ...]:
        """All sites, in alphabetical order."""
        return tuple(sorted({site for site in self._site_of.values() if site}))

    @cached_property
    def site(self) -> Column:
        """The number of each recording's site, -1 for none."""
        known = {site: number for number, site in enumerate(self.sites)}
        return np.array([known.get(self._site_of[name], -1) for name in self.names], np.int64)

    @cached_property
    def began(self) -> Column:
        """When each began, in seconds of the recorder's clock since 1970; NaN where its name does not tell."""
        return np.array([_began(name) for name in self.names], np.float64)

    @cached_property
    def _site_of(self) -> dict[str, str]:
        return sites_of(self.names)


@dataclass(frozen=True, slots=True)
class Groups:
    """Of some clips the number of the group of each, from 0 to `count`; the key of a group by its number."""

    numbers: Column
    count: int
    key: Callable[[int], str | None]


def groups_of(places: Places, clips: Clips, chosen: Column, by: Grouping) -> Groups:
    """The groups of the `chosen` clips."""
    file = clips.file[chosen]
    if by == "file":
        return Groups(file, len(places.names), places.names.__getitem__)
    if by == "site":
        return Groups(places.site[file] + 1, len(places.sites) + 1, (None, *places.sites).__getitem__)
    moments = places.began[file] + clips.start[chosen]
    known = (moments >= _CALENDAR[0]) & (moments <= _CALENDAR[1])
    hours = np.floor_divide(np.rint(np.where(known, moments, 0) * 1e6), _HOUR).astype(np.int64)
    if by == "hour":
        return Groups(np.where(known, hours % 24 + 1, 0), 25, lambda number: f"{number - 1:02}" if number else None)
    days = hours // 24
    first = int(days[known].min()) if known.any() else 0
    numbers = np.where(known, days - first + 1, 0)
    count = int(numbers.max(initial=0)) + 1
    return Groups(numbers, count, lambda number: _date(first + number - 1) if number else None)


def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


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
