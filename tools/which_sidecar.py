"""Which sidecar tests, benchmarks and the demo start: that of the checkout, or a frozen one.

What lives here: the one place that knows. What must not: building one (build_sidecar.py).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "DIPPER_SIDECAR"
"""Names the executable of a frozen sidecar; `dev.py test --frozen` sets it."""


def frozen_executable() -> Path | None:
    """The executable to test; None where the checkout's own source is meant."""
    named = os.environ.get(VARIABLE)
    return Path(named).absolute() if named else None


def sidecar_command(*arguments: str | Path, python: Path | None = None) -> list[str]:
    """The command line that starts the sidecar; from source with this interpreter, or with `python`."""
    frozen = frozen_executable()
    program = [frozen] if frozen else [python or sys.executable, "-m", "sidecar"]
    return [str(word) for word in (*program, *arguments)]
