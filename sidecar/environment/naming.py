"""What environment archives are called.

What lives here: names, which the sidecar and the builders in tools/ share. Standard library only, for the builders run
before anything is installed. What must not: looking for archives (platforms.py).
"""

from __future__ import annotations

import platform
import sys

STEM = "dipper_pytorch_env"
SUFFIXES = (".tar.gz", ".tar.zst", ".zip")
"""Of the kinds of archives that env/setup extracts; the first is what tools/build_runtime.py makes."""

_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_MACHINES = {"amd64": "x86_64"}


def platform_tag() -> str:
    """The platform in an archive's name: linux-x86_64, macos-arm64, windows-x86_64."""
    return tag_of(sys.platform, platform.machine())


def tag_of(system: str, machine: str) -> str:
    """The platform that `sys.platform` and `platform.machine()` tell."""
    return f"{_SYSTEMS.get(system, system)}-{_MACHINES.get(machine.lower(), machine.lower())}"


def system_of(archive_name: str) -> str | None:
    """The operating system that an archive's name tells; None where it tells none."""
    start = archive_name.removeprefix(f"{STEM}-").partition("-")[0]
    return start if archive_name.startswith(f"{STEM}-") and start in _SYSTEMS.values() else None


def without_suffix(name: str) -> str:
    """The name of an archive less the suffix of its kind."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
