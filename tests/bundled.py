"""Tests import what the frozen sidecar holds: `pytest -p tests.bundled`, with DIPPER_SIDECAR naming its executable.

Its modules and native libraries, ours and others', come from the bundle; the standard library, pytest and the oracles
(pandas, of scipy what the bundle leaves out) from the environment. So a test of a room tells whether the room works
with what is shipped: a library's part that was left out, or a library that was stripped, shows here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import pytest

from tools.which_sidecar import frozen_executable

_OURS = ("sidecar", "rpc", "schemas", "survey")
_SHIPPED = ("numpy", "scipy.fft", "duckdb", "soundfile", "soxr", "msgspec", "isal", "pybase64")
_ORACLE = "scipy"
_WANTED_BY_PYTEST = {"platformdirs", "typing_extensions"}


class Bundle:
    """Finds the modules of the bundle before anything else does."""

    def __init__(self, internal: Path) -> None:
        self._internal = internal
        names = {path.name.partition(".")[0] for path in internal.iterdir()}
        self._names = names - set(sys.stdlib_module_names) - _WANTED_BY_PYTEST

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As importlib asks for it."""
        if path is None:
            return PathFinder.find_spec(name, [str(self._internal)]) if name in self._names else None
        if name.partition(".")[0] != _ORACLE:
            return None
        parent = name.rpartition(".")[0].replace(".", "/")
        return PathFinder.find_spec(name, path) or PathFinder.find_spec(name, [f"{each}/{parent}" for each in sys.path])


def _install() -> Path:
    executable = frozen_executable()
    if executable is None:
        raise pytest.UsageError("tests.bundled: DIPPER_SIDECAR does not name a frozen sidecar")
    internal = executable.parent / "_internal"
    taken = sorted(set(_OURS) & set(sys.modules))
    if taken:
        raise pytest.UsageError(f"tests.bundled: {', '.join(taken)} were imported before")
    sys.meta_path.insert(0, Bundle(internal))
    for name in (*_OURS, *_SHIPPED):
        file = importlib.import_module(name).__file__
        if file is None or not Path(file).is_relative_to(internal):
            raise pytest.UsageError(f"tests.bundled: {name} comes from {file}")
    return internal


_INTERNAL = _install()


def pytest_report_header() -> str:
    """Say whose modules are tested."""
    return f"modules of the bundle {_INTERNAL}"
