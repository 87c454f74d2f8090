"""Write a lock: the versions that are installed now, of what the named requirements need and nothing else.

What lives here: reading installed metadata. What must not: installing or resolving. Run it with the interpreter
whose packages are to be locked:

    .venv/bin/python tools/lock.py pyproject.toml dev > requirements/sidecar.txt
    .ml/bin/python tools/lock.py requirements/ml.in > requirements/ml-linux-x86_64.txt

The first argument is a requirements file, or a pyproject.toml followed by the extras to take in.
"""

from __future__ import annotations

import platform
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name


def direct_requirements(path: Path, extras: list[str]) -> list[Requirement]:
    """What the requirements file or pyproject.toml names itself."""
    if path.suffix == ".toml":
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        optional = project.get("optional-dependencies", {})
        lines = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    else:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
    return [Requirement(line) for line in lines]


def wanted_here(requirement: Requirement, extras: Iterable[str]) -> bool:
    """Whether the requirement's marker holds for this interpreter and any of the extras asked for."""
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def closure(requirements: list[Requirement]) -> dict[str, metadata.Distribution]:
    """Every installed distribution that the requirements need, by canonical name."""
    found: dict[str, metadata.Distribution] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    todo = [requirement for requirement in requirements if wanted_here(requirement, ())]
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in done:
            continue
        done.add((name, extras))
        found[name] = metadata.distribution(requirement.name)
        needed = (Requirement(line) for line in found[name].requires or [])
        todo += [dependency for dependency in needed if wanted_here(dependency, extras)]
    return found


def lock_lines(distributions: dict[str, metadata.Distribution]) -> Iterator[str]:
    """The lock, a pinned line each. Local version parts (`+cpu`) are left out: they belong to one index."""
    yield f"# Locked on {sys.platform} {platform.machine()} python {sys.version_info[0]}.{sys.version_info[1]}"
    yield "# by tools/lock.py; do not edit. Other platforms and versions: see tools/install_ml.py"
    for name in sorted(distributions):
        yield f"{name}=={distributions[name].version.partition('+')[0]}"


def main(arguments: list[str]) -> int:
    """Print the lock."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    requirements = direct_requirements(Path(arguments[0]), arguments[1:])
    print("\n".join(lock_lines(closure(requirements))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
