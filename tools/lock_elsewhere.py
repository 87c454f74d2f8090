"""Resolve the lock of the ML environment for another platform than this one; nothing is installed.

    python3 tools/lock_elsewhere.py macos-arm64 > requirements/ml-macos-arm64.txt

What lives here: asking uv (`pip install uv`), which evaluates what packages say about platforms for the one that is
asked for; pip only does so for its own. What must not: the lock of this platform (lock.py), which is of what is
installed and tested.

The versions are those of the tested lock. torch, torchvision and torchaudio are taken from there whatever they say of
one another, as tools/install_ml.py installs them; the CUDA packages that PyPI's torch for Linux brings along are left
to it, so that the lock fits PyTorch's index of CPU builds too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.install_ml import CUDA_REQUIREMENT, TESTED_LOCK, TORCH
from tools.paths import REQUIREMENTS

_TARGETS = {
    "linux-aarch64": ("aarch64-manylinux_2_28", "linux aarch64"),
    "macos-arm64": ("aarch64-apple-darwin", "darwin arm64"),
    "windows-x86_64": ("x86_64-pc-windows-msvc", "win32 AMD64"),
}
"""uv's name, and what sys.platform and platform.machine() say there. For macOS on Intel there is no such torch."""
_PYTHON = "3.11"
# Published as source alone, which is Python alone.
_WITHOUT_WHEELS = ("docopt", "julius")


def lock_lines(platform_tag: str) -> list[str]:
    """The lock for a platform, a pinned line each."""
    target, machine = _TARGETS[platform_tag]
    pinned = [line for line in TESTED_LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    with tempfile.TemporaryDirectory() as folder:
        constraints, overrides = Path(folder) / "constraints.txt", Path(folder) / "overrides.txt"
        constraints.write_text("\n".join(line for line in pinned if not _is_torch(line)), encoding="utf-8")
        overrides.write_text("\n".join(line for line in pinned if _is_torch(line)), encoding="utf-8")
        command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
        command += [argument for name in _WITHOUT_WHEELS for argument in ("--no-binary", name)]
        command += ["--python-version", _PYTHON, "--python-platform", target]
        command += ["--constraint", str(constraints), "--override", str(overrides), str(REQUIREMENTS / "ml.in")]
        # torch for macOS is for version 14 on; uv thinks of 13.
        environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
        finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    header = [
        f"# Locked for {machine} python {_PYTHON}",
        "# by tools/lock_elsewhere.py; do not edit. Resolved, not tried: see tools/install_ml.py",
    ]
    lines = [line.partition("+")[0] for line in finished.stdout.splitlines() if not CUDA_REQUIREMENT.match(line)]
    return [*header, *lines]


def _is_torch(line: str) -> bool:
    return re.split("[=<>~]", line)[0] in TORCH


def main(arguments: list[str]) -> int:
    """Print the lock for the platform named on the command line."""
    if len(arguments) != 1 or arguments[0] not in _TARGETS:
        print(f"{__doc__}\nPlatforms: {', '.join(_TARGETS)}", file=sys.stderr)
        return 2
    print("\n".join(lock_lines(arguments[0])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
