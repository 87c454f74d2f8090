"""Whether the frozen sidecar is what would be built now.

What lives here: the digest of all that goes into it. What must not: building (build_sidecar.py).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tools.freezing.contents import PACKAGES, SHIPPED_SOURCES
from tools.paths import FROZEN, REQUIREMENTS, ROOT

STAMP = FROZEN.parent.with_name("sidecar.made-from")
"""Beside the folder, so that it is not shipped."""


def digest() -> str:
    """Of our source, of the recipe, and of the versions of the libraries."""
    sums = hashlib.sha256(sys.version.encode())
    for path in _inputs():
        sums.update(f"{path.relative_to(ROOT).as_posix()}\0".encode())
        sums.update(hashlib.sha256(path.read_bytes()).digest())
    return sums.hexdigest()


def is_current(made_from: str) -> bool:
    """Whether what is there was made from what the digest `made_from` tells."""
    return FROZEN.exists() and STAMP.exists() and STAMP.read_text() == made_from


def _inputs() -> list[Path]:
    folders = sorted({*PACKAGES, *SHIPPED_SOURCES, "tools/freezing", "tools/notices"})
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    sources = [path for path in found if "__pycache__" not in path.parts]
    return [*sources, ROOT / "sidecar.spec", ROOT / "LICENSE", REQUIREMENTS / "sidecar.txt"]
