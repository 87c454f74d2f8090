"""Components that pip installed, by their metadata.

What lives here: licences, texts and native libraries of a distribution. What must not: libraries that no distribution
brought (native.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from tools.notices.component import Component, LicenceText, common_text, has_common_text

_LICENCE_FILE = re.compile(r"(?i)(licen[cs]e|copying|notice|copyright|third.?party|eula)[^/]*$")
_NOT_A_TEXT = {".py", ".pyc", ".pyi", ".so", ".h"}
_LIBRARY = re.compile(r"(lib[^/]*?)(-[0-9a-f]{8}[^/]*|\.[0-9a-f]{8})?\.(so|dylib|dll)[^/]*$")
# What metadata calls them that predate the identifiers of SPDX.
_SPDX = {
    "apache 2.0": "Apache-2.0", "apache software license": "Apache-2.0", "apache license 2.0": "Apache-2.0",
    "mit license": "MIT", "bsd license": "BSD-3-Clause", "bsd-3": "BSD-3-Clause",
    "python software foundation license": "PSF-2.0",
}  # fmt: skip


def distributions_in(site_packages: Path) -> list[metadata.Distribution]:
    """Everything that is installed in a folder of packages, by name."""
    return sorted(metadata.distributions(path=[str(site_packages)]), key=lambda found: found.name.lower())


def component_of(distribution: metadata.Distribution) -> Component:
    """The notice of a distribution."""
    licence = licence_of(distribution)
    carried = sorted(set(_carried_libraries(distribution)))
    return Component(
        distribution.name,
        distribution.version,
        licence,
        tuple(_texts(distribution)) or _text_by_name(distribution, licence),
        _home(distribution),
        f"It carries {', '.join(carried)}." if carried else "",
    )


def licence_of(distribution: metadata.Distribution) -> str:
    """The licence as its authors name it: SPDX identifiers where they use them."""
    classifiers = distribution.metadata.get_all("Classifier") or ()
    classified = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License")]
    named = _field(distribution, "License-Expression") or " and ".join(classified) or _field(distribution, "License")
    return (named.strip() or "not stated").split("\n")[0][:80]


def _texts(distribution: metadata.Distribution) -> Iterator[LicenceText]:
    for file in sorted(distribution.files or [], key=str):
        if _is_licence(file) and (path := Path(str(distribution.locate_file(file)))).is_file():
            yield LicenceText(file.as_posix(), path.read_text(encoding="utf-8", errors="replace").strip() + "\n")


def _is_licence(file: PurePosixPath) -> bool:
    if file.suffix in _NOT_A_TEXT:
        return False
    return ".dist-info/licenses/" in file.as_posix() or _LICENCE_FILE.search(file.name) is not None


def _text_by_name(distribution: metadata.Distribution, licence: str) -> tuple[LicenceText, ...]:
    """For those who ship none: what their metadata holds, else the text of the licence that they name."""
    written = _field(distribution, "License")
    if written.count("\n") > 3:
        return (LicenceText("its metadata", written.strip() + "\n"),)
    identifier = _SPDX.get(licence.lower(), licence)
    return (common_text(identifier),) if has_common_text(identifier) else ()


def _carried_libraries(distribution: metadata.Distribution) -> Iterator[str]:
    for file in distribution.files or []:
        found = _LIBRARY.fullmatch(file.name)
        if found and (file.parent.name.endswith((".libs", ".dylibs")) or file.parent.name == "_soundfile_data"):
            yield found.group(1)


def _home(distribution: metadata.Distribution) -> str:
    labelled = [line.partition(",") for line in distribution.metadata.get_all("Project-URL") or ()]
    for wanted in ("source", "repository", "github", "code", "homepage"):
        for label, _, address in labelled:
            if wanted in label.lower():
                return str(address.strip())
    return _field(distribution, "Home-page") or (labelled[0][2].strip() if labelled else "")


def _field(distribution: metadata.Distribution, name: str) -> str:
    return str((distribution.metadata.get_all(name) or ("",))[0])
