"""Whose work is in the frozen sidecar.

What lives here: telling it from the files that are there. What must not: how they came there (sidecar.spec).
"""

from __future__ import annotations

import platform
import re
import sysconfig
from dataclasses import replace
from importlib import metadata
from pathlib import Path, PurePosixPath

from tools.notices.component import Component
from tools.notices.distributions import component_of, distributions_in
from tools.notices.document import NAME, write_notices
from tools.notices.native import components_named
from tools.notices.python import python_component

_NATIVE = re.compile(r".*\.(so(\.[\d.]+)?|dylib|dll)$")
_EXTENSION = re.compile(r".*(\.cpython-|\.abi3\.|\.cp\d+-|\.pyd$)")


def write_bundle_notices(folder: Path) -> None:
    """Write the notices of the frozen sidecar in `folder` into it.

    Raises
    ------
    ValueError
        Somebody's library is in it and tools/notices/native.py does not know whose.
    """
    components, unknown = components_of_bundle(folder)
    if unknown:
        raise ValueError(f"tools/notices/native.py does not know whose {', '.join(unknown)} in {folder} is.")
    write_notices(folder / NAME, "the frozen sidecar", components)


def components_of_bundle(folder: Path) -> tuple[list[Component], list[str]]:
    """All components of the frozen sidecar in `folder`, and the native libraries of which it is not known whose."""
    inside = {path.relative_to(folder / "_internal").as_posix() for path in (folder / "_internal").rglob("*")}
    found = [each for each in distributions_in(_site_packages()) if _is_inside(each, inside)]
    owned = {PurePosixPath(str(file)).as_posix() for each in found for file in each.files or []}
    libraries = {
        PurePosixPath(path).name
        for path in inside
        if _NATIVE.match(path) and not path.startswith("lib-dynload/") and not _is_python(path)
    }
    special = {path.rpartition("/")[2] for path in inside if path.startswith("soxr/soxr_ext")}
    native, unknown = components_named({name for name in libraries if not _EXTENSION.match(name)} | special)
    strangers = {name for name in unknown if not any(path.endswith(f"/{name}") for path in owned)}
    python = python_component(platform.python_version(), Path(sysconfig.get_path("stdlib")))
    return [python, *map(component_of, found), *native, _bootloader()], sorted(strangers)


def _bootloader() -> Component:
    """What PyInstaller puts into every program that it freezes, under a licence that allows it."""
    whole = component_of(metadata.distribution("pyinstaller"))
    return replace(whole, name="PyInstaller's bootloader", licence="GPL-2.0-or-later WITH Bootloader-exception")


def _is_inside(distribution: metadata.Distribution, inside: set[str]) -> bool:
    """Whether a module or a library of it is there."""
    for file in distribution.files or []:
        path = file.as_posix()
        compiled = path.removesuffix(".py") + ".pyc"
        if ".dist-info/" not in path and (path if file.suffix != ".py" else compiled) in inside:
            return True
    return False


def _is_python(path: str) -> bool:
    return (
        re.fullmatch(r"libpython3[\d.]*\.(so[\d.]*|dylib)|python3\d*\.dll|Python", PurePosixPath(path).name) is not None
    )


def _site_packages() -> Path:
    return Path(sysconfig.get_path("purelib"))
