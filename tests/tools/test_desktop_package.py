"""The desktop app's package, made by electron-builder with the real configuration around a stand-in for Electron."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.app import ensure_app
from tools.paths import ELECTRON, ROOT

MODULES = ELECTRON / "node_modules"
SHIPPED = (
    "/dist/main/main.js",
    "/dist/preload/preload.cjs",
    "/dist/renderer/index.html",
    "/icons/icon.png",
    "/package.json",
)
FOLDERS = {"/dist", "/dist/main", "/dist/preload", "/dist/renderer", "/dist/renderer/assets", "/icons"}

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Package:
    """The unpacked app, and the names in its archive."""

    resources: Path
    names: list[str]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("package")
    node = ensure_app()
    given = {
        "DIPPER_ELECTRON_DIST": str(_electron(folder / "electron")),
        "DIPPER_SIDECAR_FOLDER": str(_sidecar(folder / "sidecar")),
        "DIPPER_PACKAGES": str(folder / "out"),
    }
    builder = [node.program, MODULES / "electron-builder" / "cli.js", "--linux", "dir"]
    command = [*builder, "--config", "electron-builder.config.cjs"]
    subprocess.run(command, cwd=ELECTRON, env={**node.environment(), **given}, check=True)
    resources = folder / "out" / "linux-unpacked" / "resources"
    asar = [node.program, MODULES / "@electron" / "asar" / "bin" / "asar.js", "list", resources / "app.asar"]
    listed = subprocess.run(asar, check=True, capture_output=True, text=True).stdout
    return Package(resources, listed.split("\n")[:-1])


def test_holds_what_runs(package: Package) -> None:
    assert set(SHIPPED) <= set(package.names)


def test_holds_nothing_else(package: Package) -> None:
    others = [name for name in package.names if name not in {*SHIPPED, *FOLDERS}]
    assert others
    assert all(name.startswith("/dist/renderer/assets/") and not name.endswith(".map") for name in others), others


def test_the_sidecar_lies_beside_it(package: Package) -> None:
    sidecar = package.resources / "sidecar" / "sidecar"
    assert os.access(sidecar, os.X_OK)


def _electron(folder: Path) -> Path:
    (folder / "locales").mkdir(parents=True)
    (folder / "resources").mkdir()
    for name in (
        "LICENSE",
        "LICENSES.chromium.html",
        "version",
        "chrome-sandbox",
        "chrome_crashpad_handler",
        "locales/en-US.pak",
    ):
        (folder / name).touch()
    _script(folder / "electron")
    return folder


def _sidecar(folder: Path) -> Path:
    """The frozen one where there is one."""
    frozen = ROOT / "dist" / "sidecar"
    if frozen.exists():
        return frozen
    folder.mkdir()
    _script(folder / "sidecar")
    return folder


def _script(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
