"""The desktop app, built: the renderer, the host that serves it to a browser, and Electron's processes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tools.node import Node, ensure_packages
from tools.paths import ELECTRON, ROOT
from tools.processes import run

HOST = ELECTRON / "dist" / "host" / "main.js"
_STAMP = ELECTRON / "dist" / ".made-from"


def ensure_app() -> Node:
    """Build the app unless it is current; the Node.js that runs it."""
    node = ensure_packages(ELECTRON)
    wanted = _fingerprint()
    if not HOST.exists() or not _STAMP.exists() or _STAMP.read_text() != wanted:
        print("dev: building the desktop app", flush=True)
        run([node.program, ELECTRON / "scripts" / "build.js"], cwd=ELECTRON, env=node.environment())
        _STAMP.write_text(wanted)
    return node


def _fingerprint() -> str:
    """Of everything that goes into the build."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    yield from sorted(path for path in (ELECTRON / "src").rglob("*") if path.is_file())
    yield from (ELECTRON / name for name in ("package-lock.json", "vite.config.ts", "scripts/build.js"))
    yield from sorted((ROOT / "schemas" / "json").glob("*.json"))
