"""What of an ML environment is never used when models run, and so is not packed.

What lives here: the rules, and the tally of what they leave out. What must not: copying, packing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

TESTS = "tests"
HEADERS = "headers and build files"
STATIC_LIBRARIES = "static libraries"
CACHES = "caches"
PROGRAMS = "programs of packages"
DESKTOP = "Python's editor, Tk and documentation"
STUBS = "type stubs"
LICENSED_APART = "modules on libraries under the GPL"

_SUFFIXES = {".a": STATIC_LIBRARIES, ".pyc": CACHES, ".h": HEADERS, ".hpp": HEADERS, ".cuh": HEADERS}
_FOLDERS = {"__pycache__": CACHES, "tests": TESTS}
_STANDARD_LIBRARY = {
    "test": TESTS,
    "idlelib": DESKTOP,
    "turtledemo": DESKTOP,
    "tkinter": DESKTOP,
    "pydoc_data": DESKTOP,
    "lib2to3": DESKTOP,
    "ensurepip": PROGRAMS,
}
# Extension modules of the standard library that only those parts use, or whose libraries may not be passed on with
# a program under the MIT licence (readline, gdbm: GPL; nis pulls in Kerberos).
_EXTENSIONS = {
    "_tkinter": DESKTOP,
    "_test": TESTS,
    "_ctypes_test": TESTS,
    "_xxtestfuzz": TESTS,
    "_xxsubinterpreters": TESTS,
    "xxlimited": TESTS,
    "readline": LICENSED_APART,
    "_gdbm": LICENSED_APART,
    "_dbm": LICENSED_APART,
    "nis": LICENSED_APART,
}
# Inside site-packages. torch_shm_manager is what torch.multiprocessing starts.
_PACKAGES = {
    "torch/test": TESTS,
    "torch/include": HEADERS,
    "torch/share": HEADERS,
    "torch/bin": PROGRAMS,
    "torch/lib/libtorchbind_test.so": TESTS,
    "torch/lib/libjitbackend_test.so": TESTS,
    "torch/lib/libbackend_with_compiler.so": TESTS,
    "numpy/_core/include": HEADERS,
    "wandb/bin": PROGRAMS,
    "jedi/third_party": STUBS,
}
_KEPT = {"torch/bin/torch_shm_manager"}
_TOP = {"include": HEADERS, "share": DESKTOP, "man": DESKTOP}


@dataclass
class LeftOut:
    """Bytes and files that were left out, by reason."""

    sizes: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, path: Path) -> None:
        """Count a file or link."""
        self.sizes[reason] = self.sizes.get(reason, 0) + path.lstat().st_size
        self.files[reason] = self.files.get(reason, 0) + 1

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """Reason, files and bytes, the largest first."""
        for reason, size in sorted(self.sizes.items(), key=lambda row: -row[1]):
            yield reason, self.files[reason], size


def unused_reason(relative: PurePosixPath, *, conda: bool = False) -> str | None:
    """Why the file at `relative` (to the environment) is not packed; None for one that is.

    `conda`: a prefix made by conda, whose share/ holds what its libraries need (time zones, certificates).
    """
    parts = relative.parts
    if parts[0] in _TOP and not (conda and parts[0] == "share"):
        return _TOP[parts[0]]
    if relative.suffix in _SUFFIXES:
        return _SUFFIXES[relative.suffix]
    if "site-packages" in parts:
        return _in_package(parts[parts.index("site-packages") + 1 :])
    library = _below_standard_library(parts)
    return _in_standard_library(library) if library else _in_root(parts)


def _in_package(parts: tuple[str, ...]) -> str | None:
    if "/".join(parts) in _KEPT:
        return None
    for folder in parts[:-1]:
        if folder in _FOLDERS:
            return _FOLDERS[folder]
    for length in range(1, len(parts) + 1):
        reason = _PACKAGES.get("/".join(parts[:length]))
        if reason is not None:
            return reason
    return None


def _below_standard_library(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The part of a path below lib/python3.x (Windows: Lib), empty where it is elsewhere."""
    if parts[0] == "Lib":
        return parts[1:]
    return parts[2:] if len(parts) > 2 and parts[0] == "lib" and parts[1].startswith("python3") else ()


def _in_standard_library(parts: tuple[str, ...]) -> str | None:
    if parts[0] in _STANDARD_LIBRARY and len(parts) > 1:
        return _STANDARD_LIBRARY[parts[0]]
    if parts[0].startswith("config-"):
        return HEADERS
    if parts[0] == "lib-dynload":
        module = parts[1].partition(".")[0]
        return next((reason for start, reason in _EXTENSIONS.items() if module.startswith(start)), None)
    return next((_FOLDERS[folder] for folder in parts[:-1] if folder in _FOLDERS), None)


def _in_root(parts: tuple[str, ...]) -> str | None:
    if parts[:2] in {("lib", "pkgconfig"), ("lib", "cmake")}:
        return HEADERS
    return CACHES if "__pycache__" in parts else None
