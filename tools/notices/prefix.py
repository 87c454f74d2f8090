"""Whose work is in a prefix that is packed as the ML environment.

What lives here: telling it from conda's records, from the packages' metadata, and from native libraries beside them.
What must not: making the prefix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tools.notices.component import Component, LicenceText
from tools.notices.distributions import component_of, distributions_in
from tools.notices.native import components_named
from tools.notices.python import python_component


def components_of_prefix(prefix: Path, python_version: str) -> tuple[list[Component], list[str]]:
    """All components of `prefix`, and the native libraries of which it is not known whose they are."""
    by_conda = sorted(_conda_components(prefix), key=lambda one: one.name.lower())
    site_packages = site_packages_of(prefix)
    installed = [each for each in distributions_in(site_packages) if not (by_conda and _is_condas(each))]
    bundled = [path.name for folder in site_packages.glob("*.libs") for path in folder.iterdir()]
    bundled += [path.name for path in site_packages.glob("_soundfile_data/lib*")]
    bundled += [path.name for path in site_packages.glob("soxr/soxr_ext*")]
    native, _ = components_named(bundled)
    if by_conda:
        return [*by_conda, *map(component_of, installed), *native], []
    taken, unknown = components_named(_libraries_beside(prefix))
    python = python_component(python_version, site_packages.parent)
    libraries = {component.name: component for component in (*taken, *native)}
    return [python, *map(component_of, installed), *libraries.values()], unknown


def site_packages_of(prefix: Path) -> Path:
    """The packages of the environment in `prefix`."""
    return next(path for path in prefix.glob("[Ll]ib/**/site-packages") if path.is_dir())


def _libraries_beside(prefix: Path) -> set[str]:
    """The libraries that were copied along with the interpreter."""
    libraries = {path.name for path in (prefix / "lib").glob("*.so*")}
    return {name for name in libraries if not name.startswith("libpython3")}


def _is_condas(distribution: metadata.Distribution) -> bool:
    return (distribution.read_text("INSTALLER") or "").strip() == "conda"


def _conda_components(prefix: Path) -> Iterator[Component]:
    for path in (prefix / "conda-meta").glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        cached = record.get("extracted_package_dir") or (record.get("link") or {}).get("source")
        texts = Path(cached or prefix / "none") / "info" / "licenses"
        yield Component(
            record["name"],
            record["version"],
            record.get("license") or "not stated",
            tuple(_texts_below(texts)),
            record.get("url") or "",
        )


def _texts_below(folder: Path) -> Iterator[LicenceText]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield LicenceText(path.name, path.read_text(encoding="utf-8", errors="replace").strip() + "\n")
