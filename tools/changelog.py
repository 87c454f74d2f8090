"""What CHANGELOG.md holds: a section a version, the newest first, its heading `## 0.2.0 (2026-12-01)`.

    python3 -m tools.changelog v0.2.0       prints that version's notes, if it is the checkout's and is dated

What lives here: reading it. What must not: writing it (version.py).
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

from tools.paths import ROOT

UNRELEASED = "unreleased"
_HEADING = re.compile(r"^## (\d+\.\d+\.\d+) \((unreleased|\d{4}-\d\d-\d\d)\)$")


class Section(NamedTuple):
    """Of one version: `date` is YYYY-MM-DD, or "unreleased"."""

    version: str
    date: str
    text: str


def read_sections(text: str) -> list[Section]:
    """All sections, as they stand.

    Raises
    ------
    ValueError
        There is none, or a heading of the second level is no version's.
    """
    _, *parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    sections = []
    for part in parts:
        heading, _, body = part.partition("\n")
        found = _HEADING.match(heading)
        if found is None:
            raise ValueError(f"CHANGELOG.md: {heading!r} is not as `## 0.2.0 (unreleased)` or `## 0.2.0 (2026-12-01)`.")
        sections.append(Section(found[1], found[2], body.strip()))
    if not sections:
        raise ValueError("CHANGELOG.md holds no version.")
    return sections


def notes_for(tag: str, text: str, version: str) -> str:
    """What a release tagged `tag` (v0.2.0) of a checkout of `version` says is new.

    Raises
    ------
    ValueError
        They do not fit one another, or the version was not closed.
    """
    top = read_sections(text)[0]
    if tag != f"v{version}" or top.version != version:
        raise ValueError(f"The tag is {tag}, the version {version}, the top of CHANGELOG.md {top.version}.")
    if top.date == UNRELEASED:
        raise ValueError(f"{version} has no date in CHANGELOG.md: `python3 dev.py version --close`, commit, tag again.")
    return top.text


def main(arguments: list[str]) -> int:
    """Print the notes of the tag on the command line."""
    from schemas.version import VERSION

    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(notes_for(arguments[0], (ROOT / "CHANGELOG.md").read_text("utf-8"), VERSION))
    except ValueError as error:
        print(f"changelog: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
