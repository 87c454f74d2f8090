"""One version, in one place, and a changelog that is kept by it."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from schemas.version import VERSION
from tools.changelog import UNRELEASED, notes_for, read_sections
from tools.paths import ROOT
from tools.version import CannotVersion, close, numbers, raise_to, version_of

KEPT_BY_TOOLS = {
    "schemas/version.py",
    "electron/package.json",
    "electron/package-lock.json",
    "schemas/json/openrpc.json",
}
CODE = {".py", ".spec", ".toml", ".json", ".ts", ".js", ".mjs", ".cjs", ".yml", ".yaml"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a version stands in, closed and ready for the next."""
    for name in ("CHANGELOG.md", *sorted(KEPT_BY_TOOLS)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    if read_sections(changelog_of(tmp_path))[0].date == UNRELEASED:
        close(tmp_path, "2026-12-01")
    return tmp_path


def changelog_of(checkout: Path) -> str:
    return (checkout / "CHANGELOG.md").read_text("utf-8")


def next_of(version: str) -> str:
    major, minor, _ = numbers(version)
    return f"{major}.{minor + 1}.0"


def versions_in(checkout: Path) -> list[str]:
    """The version and the copies that npm and electron-builder demand."""
    package, lock = (json.loads((checkout / "electron" / name).read_text()) for name in ("package.json", LOCK))
    return [version_of(checkout), package["version"], lock["version"], lock["packages"][""]["version"]]


LOCK = "package-lock.json"


def test_the_copies_agree():
    openrpc = json.loads((ROOT / "schemas" / "json" / "openrpc.json").read_text("utf-8"))

    assert {*versions_in(ROOT), openrpc["info"]["version"]} == {VERSION}


def test_pyproject_takes_it_from_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "schemas.version.VERSION"}


def test_no_other_code_spells_a_version_of_ours():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    spelled = re.compile(rf"""(?i)version["']?\s*[:=]\s*["']{re.escape(VERSION)}["']""")
    paths = [path for path in tracked.splitlines() if Path(path).suffix in CODE and (ROOT / path).is_file()]
    found = {path for path in paths if spelled.search((ROOT / path).read_text("utf-8"))}

    assert found - {path for path in found if path.startswith("tests/node/")} == KEPT_BY_TOOLS


def test_the_changelog_is_of_this_version():
    top, *older = read_sections((ROOT / "CHANGELOG.md").read_text("utf-8"))

    assert top.version == VERSION
    assert top.text
    assert all(section.date != UNRELEASED for section in older)
    versions = [numbers(section.version) for section in (top, *older)]
    assert versions == sorted(set(versions), reverse=True)
    dates = [datetime.date.fromisoformat(section.date) for section in (top, *older) if section.date != UNRELEASED]
    assert dates == sorted(dates, reverse=True)


def test_the_next_version_stands_everywhere(checkout: Path):
    released = version_of(checkout)

    raise_to(checkout, next_of(released))

    assert set(versions_in(checkout)) == {next_of(released)}
    top, before = read_sections(changelog_of(checkout))[:2]
    assert (top.version, top.date, before.version) == (next_of(released), UNRELEASED, released)
    with pytest.raises(CannotVersion, match="is not released yet"):
        raise_to(checkout, next_of(next_of(released)))


@pytest.mark.parametrize("version", ["1.0", "v9.0.0", "0.0.1", VERSION])
def test_what_is_no_next_version_is_refused(checkout: Path, version: str):
    before = versions_in(checkout)

    with pytest.raises(CannotVersion):
        raise_to(checkout, version)

    assert versions_in(checkout) == before


def test_a_release_says_what_is_new(checkout: Path):
    notes = notes_for(f"v{VERSION}", changelog_of(checkout), VERSION)

    assert notes == read_sections(changelog_of(checkout))[0].text


@pytest.mark.parametrize("tag", [VERSION, "v9.9.9"])
def test_a_tag_that_is_not_the_versions_releases_nothing(checkout: Path, tag: str):
    with pytest.raises(ValueError, match="The tag is"):
        notes_for(tag, changelog_of(checkout), VERSION)


def test_a_version_that_was_not_closed_releases_nothing(checkout: Path):
    raise_to(checkout, next_of(VERSION))
    version = next_of(VERSION)

    with pytest.raises(ValueError, match="has no date"):
        notes_for(f"v{version}", changelog_of(checkout), version)


def test_a_heading_that_is_none_is_named():
    with pytest.raises(ValueError, match="## Unreleased"):
        read_sections("# Changelog\n\n## Unreleased\n")
