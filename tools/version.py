"""The version: told, raised, or closed for a release. Run by `python3 dev.py version`.

    python3 dev.py version              says it
    python3 dev.py version 0.2.0        what is developed from now on
    python3 dev.py version --close      dates the top of CHANGELOG.md, which is what a release is made from

What lives here: schemas/version.py, and the copies that npm and electron-builder demand. What must not: what a
changelog looks like (changelog.py).
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
from pathlib import Path

from tools.changelog import UNRELEASED, Section, read_sections
from tools.paths import ROOT

_PLACE = Path("schemas", "version.py")
_PACKAGE, _LOCK = Path("electron", "package.json"), Path("electron", "package-lock.json")
_CHANGELOG = Path("CHANGELOG.md")
_ASSIGNED = re.compile(r'^VERSION = "(.+)"$', re.MULTILINE)


class CannotVersion(Exception):
    """The sentence says what stands in the way."""


def version_of(root: Path) -> str:
    """The version of the checkout `root`."""
    found = _ASSIGNED.search((root / _PLACE).read_text("utf-8"))
    if found is None:
        raise CannotVersion(f"{_PLACE} holds no version.")
    return found[1]


def raise_to(root: Path, version: str) -> None:
    """Make `version` (three numbers, higher than what is there) the one that is developed.

    Raises
    ------
    CannotVersion
        It is none, or not higher; the present one is not closed.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise CannotVersion(f"A version is three numbers, as 0.2.0; not {version!r}.")
    present = version_of(root)
    if numbers(version) <= numbers(present):
        raise CannotVersion(f"{version} is not higher than {present}.")
    top = _top(root)
    if top.date == UNRELEASED:
        raise CannotVersion(f"{top.version} is not released yet: `dev.py version --close` comes first.")
    place = root / _PLACE
    place.write_text(_ASSIGNED.sub(f'VERSION = "{version}"', place.read_text("utf-8")), "utf-8")
    _write_copies(root, version)
    changelog = root / _CHANGELOG
    head, _, rest = changelog.read_text("utf-8").partition("\n\n")
    changelog.write_text(f"{head}\n\n## {version} ({UNRELEASED})\n\n{rest}", "utf-8")


def close(root: Path, date: str) -> str:
    """Put `date` (YYYY-MM-DD) to the version that is developed; the version."""
    top = _top(root)
    if top.date != UNRELEASED:
        raise CannotVersion(f"{top.version} was closed on {top.date}.")
    changelog = root / _CHANGELOG
    heading = f"## {top.version} ({UNRELEASED})"
    changelog.write_text(changelog.read_text("utf-8").replace(heading, f"## {top.version} ({date})", 1), "utf-8")
    return top.version


def numbers(version: str) -> tuple[int, ...]:
    """To compare versions by."""
    return tuple(int(part) for part in version.split("."))


def _top(root: Path) -> Section:
    top = read_sections((root / _CHANGELOG).read_text("utf-8"))[0]
    if top.version != version_of(root):
        raise CannotVersion(f"The top of {_CHANGELOG} is {top.version}, but the version is {version_of(root)}.")
    return top


def _write_copies(root: Path, version: str) -> None:
    for path in (_PACKAGE, _LOCK):
        content = json.loads((root / path).read_text("utf-8"))
        for holder in (content, content.get("packages", {}).get("")):
            if holder is not None:
                holder["version"] = version
        (root / path).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="dev.py version", description=__doc__)
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("version", nargs="?", help="what is developed from now on")
    wanted.add_argument("--close", action="store_true", help="date the top of the changelog for a release")
    options = parser.parse_args(arguments)
    try:
        if options.version:
            raise_to(ROOT, options.version)
        elif options.close:
            close(ROOT, datetime.datetime.now(datetime.UTC).date().isoformat())
        print(version_of(ROOT))
    except (CannotVersion, ValueError) as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
