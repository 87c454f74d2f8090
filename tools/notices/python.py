"""CPython as a component.

What lives here: its licence, and what is compiled into it. What must not: packages.
"""

from __future__ import annotations

from pathlib import Path

from tools.notices.component import Component, LicenceText, common_text

_INSIDE = (
    "Compiled into it are Expat (MIT), libmpdec (BSD-2-Clause), the reference implementations of BLAKE2 (CC0) and "
    "SHA-3 (CC0), and code of others named in https://docs.python.org/3/license.html."
)


def python_component(version: str, library: Path) -> Component:
    """CPython `version`, whose standard library is in the folder `library`."""
    own = library / "LICENSE.txt"
    text = LicenceText(own.name, own.read_text(encoding="utf-8")) if own.is_file() else common_text("PSF-2.0")
    return Component("Python", version, "PSF-2.0", (text,), "https://github.com/python/cpython", _INSIDE)
