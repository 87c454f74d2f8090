"""The plain source beside the frozen executable, which the ML environment's interpreter runs, and our licence.

What lives here: copying it, with its compiled form. What must not: what is frozen (sidecar.spec).
"""

from __future__ import annotations

import py_compile
import shutil
from pathlib import Path

from tools.freezing.contents import SHIPPED_SOURCES


def ship_sources(root: Path, folder: Path) -> None:
    """Put our packages from the checkout `root` into `folder`.

    The compiled form comes with them, because the sidecar forbids the worker to write into an installed application.
    It is checked against the source: whoever changes a file there runs what they wrote.
    """
    shutil.copy2(root / "LICENSE", folder)
    for package in SHIPPED_SOURCES:
        shutil.copytree(root / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        for source in sorted((folder / package).rglob("*.py")):
            # The path that tracebacks show must not be the builder's.
            shown = source.relative_to(folder).as_posix()
            py_compile.compile(
                str(source), dfile=shown, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
            )
