"""The two environments of a checkout: `.venv` (sidecar and tools) and `.ml` (the models).

An environment carries a stamp: "installing" while it is being made, then a hash of what it was made from.
One that was interrupted is made anew; one whose hash is current costs nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from sidecar.environment.naming import platform_tag
from tools.install_ml import install_ml, lock_path
from tools.paths import ARCHIVE, FROZEN, ML, REQUIREMENTS, ROOT, VENV, python_of
from tools.processes import run

_STAMP = ".made-from"
_VENV_OPTIONS: tuple[str, ...] = ()


class SetupError(Exception):
    """Something is missing on this machine; the message says what to do."""


def ensure_sidecar_environment() -> Path:
    """Make `.venv` unless it is current, and give its interpreter."""
    return _ensure(VENV, "the sidecar's environment", [REQUIREMENTS / "sidecar.txt"], _fill_venv)


def ensure_ml_environment(torch_index: str | None = None) -> Path:
    """Make `.ml` unless it is current, and give its interpreter."""
    inputs = [lock_path(), ROOT / "tools" / "install_ml.py"]
    return _ensure(
        ML, "the ML environment (2 GB, some minutes)", inputs, lambda python: install_ml(python, torch_index)
    )


def can_install_ml() -> bool:
    """Whether `.ml` can be made here: PyTorch's wheels for Macs with Intel processors ended with 2.2."""
    return platform_tag() != "macos-x86_64"


def ensure_frozen_sidecar() -> Path:
    """Freeze the sidecar unless what is there is current, and give its executable."""
    run([ensure_sidecar_environment(), "-m", "tools.build_sidecar", "--no-sizes"], cwd=ROOT)
    return FROZEN


def ensure_archive() -> Path:
    """Build the packed ML environment unless it is current, and give its path."""
    python = ensure_sidecar_environment()
    if can_install_ml():
        ensure_ml_environment()
    run([python, ROOT / "tools" / "build_runtime.py"])
    return ARCHIVE


def _ensure(folder: Path, what: str, inputs: list[Path], fill: Callable[[Path], None]) -> Path:
    wanted, stamp = _digest(inputs), folder / _STAMP
    python = python_of(folder)
    state = stamp.read_text() if stamp.exists() else ""
    if state == wanted and python.exists():
        return python
    _say(f"setting up {what} in {folder.name}/")
    if state == "installing" and folder.exists():
        shutil.rmtree(folder)
    _create(folder, stamp)
    fill(python)
    stamp.write_text(wanted)
    return python


def _create(folder: Path, stamp: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError("This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv")
    folder.mkdir(exist_ok=True)
    stamp.write_text("installing")
    run([sys.executable, "-m", "venv", *_VENV_OPTIONS, folder])


def _fill_venv(python: Path) -> None:
    requirements = REQUIREMENTS / "sidecar.txt"
    run([python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--requirement", requirements])
    # One line that lets `python -m sidecar` start from any folder; an editable install would need a build back end.
    site_packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(VENV), "platbase": str(VENV)}))
    (site_packages / "dipper-checkout.pth").write_text(f"{ROOT}\n")


def _digest(inputs: list[Path]) -> str:
    digest = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for path in inputs:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _say(sentence: str) -> None:
    print(f"dev: {sentence}", flush=True)
