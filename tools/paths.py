"""Where things lie in a checkout."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
ML = ROOT / ".ml"
REQUIREMENTS = ROOT / "requirements"
ENVIRONMENTS = ROOT / "environments"
ARCHIVE = ENVIRONMENTS / "dipper_pytorch_env.tar.gz"
BUILD = ROOT / "build"
DEMO_OUTPUT = ROOT / "demo-output"
DEV_STATE = ROOT / ".dev"
ELECTRON = ROOT / "electron"
FROZEN = ROOT / "dist" / "sidecar" / ("sidecar.exe" if sys.platform == "win32" else "sidecar")


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / "Scripts" / "python.exe" if sys.platform == "win32" else environment / "bin" / "python"
