"""The lock of the conda environment: what environment.yml was solved to on a platform, package by package.

What lives here: the file's form, writing and reading it. What must not: running a solver (build_runtime.py).

requirements/conda-<platform>.txt is an explicit list as `conda list --explicit --md5` prints it, with the packages that
pip added as comments, so that conda, mamba and micromamba take it as it is:

    # environment.yml <its sha256>
    # pip: opensoundscape==0.13.2
    @EXPLICIT
    <URL of a package>#<its md5>

It is made of the records that each of the three leaves in conda-meta/. A lock of another environment.yml is no lock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from sidecar.environment.naming import platform_tag
from tools.notices.distributions import distributions_in
from tools.notices.prefix import site_packages_of
from tools.paths import REQUIREMENTS

_FROM, _PIP, _EXPLICIT = "# environment.yml ", "# pip: ", "@EXPLICIT"


@dataclass(frozen=True)
class CondaLock:
    """The file of a lock, and what pip is to add to it, as name==version."""

    path: Path
    by_pip: tuple[str, ...]


def lock_path(requirements: Path = REQUIREMENTS) -> Path:
    """Where this platform's lock lies, or will."""
    return requirements / f"conda-{platform_tag()}.txt"


def read_lock(path: Path, environment_yml: Path) -> CondaLock | None:
    """The lock; None where there is none, or where environment.yml has changed since."""
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    if f"{_FROM}{_sha256(environment_yml)}" not in lines or _EXPLICIT not in lines:
        return None
    return CondaLock(path, tuple(line.removeprefix(_PIP) for line in lines if line.startswith(_PIP)))


def write_lock(path: Path, prefix: Path, environment_yml: Path) -> None:
    """Lock what is in `prefix`, which was solved from environment.yml."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(_lines(prefix, environment_yml)) + "\n", encoding="utf-8")


def _lines(prefix: Path, environment_yml: Path) -> Iterator[str]:
    yield f"# {platform_tag()}, by tools/build_runtime.py; do not edit. `build_runtime.py --renew-lock` solves anew."
    yield f"{_FROM}{_sha256(environment_yml)}"
    for distribution in distributions_in(site_packages_of(prefix)):
        if (distribution.read_text("INSTALLER") or "").strip() == "pip":
            yield f"{_PIP}{distribution.name}=={distribution.version}"
    yield _EXPLICIT
    for record in _in_order_of_need(prefix):
        yield f"{record['url']}#{record['md5']}"


def _in_order_of_need(prefix: Path) -> Iterator[dict[str, Any]]:
    """The records of the packages, each after what it depends on: micromamba installs in the order of the list."""
    records = {}
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        records[record["name"]] = record
    graph = {name: [need for need in _needs(record) if need in records] for name, record in records.items()}
    try:
        names = list(TopologicalSorter(graph).static_order())
    except CycleError:  # conda and mamba put them in order themselves
        names = list(records)
    yield from (records[name] for name in names)


def _needs(record: dict[str, Any]) -> list[str]:
    names = [word.split()[0] for word in record.get("depends", ())]
    # pip needs Python, and Python names pip so that it comes along.
    return [name for name in names if (record["name"], name) != ("python", "pip")]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
