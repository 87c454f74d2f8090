"""What takes the space in the frozen sidecar.

What lives here: sizes of its files by what they belong to. What must not: bars (benchmarks/startup.py).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from tools.freezing.contents import PACKAGES

LEVEL = 6
"""Of zlib, unless another is asked for."""

_PIECE = 1 << 20
_MEGABYTE = 1e6
_PYTHON = {"python3.dll", "lib-dynload", "base_library.zip", f"python3.{sys.version_info[1]}"}
_SOUND = "sound (libsndfile, soxr)"
_BELONGS_TO = {
    **dict.fromkeys(("soundfile", "soundfile_data", "soxr"), _SOUND),
    **dict.fromkeys(("cffi", "cffi_backend", "pycparser"), "cffi"),
}


class Weight(NamedTuple):
    """Of one part or of all: how many files, their bytes, and their bytes compressed one by one by zlib."""

    part: str
    files: int
    size: int
    compressed: int


def weigh(folder: Path, level: int = LEVEL) -> list[Weight]:
    """Each part of the bundle in `folder`, the heaviest first."""
    files: dict[str, list[Path]] = {}
    for path in files_of(folder):
        files.setdefault(_part(path.relative_to(folder)), []).append(path)
    with ThreadPoolExecutor() as pool:
        weights = [
            Weight(
                part,
                len(paths),
                sum(path.stat().st_size for path in paths),
                sum(pool.map(_compressed_size, paths, repeat(level))),
            )
            for part, paths in files.items()
        ]
    return sorted(weights, key=lambda weight: -weight.size)


def total(weights: list[Weight]) -> Weight:
    """All of them together."""
    return Weight(
        "all",
        sum(weight.files for weight in weights),
        sum(weight.size for weight in weights),
        sum(weight.compressed for weight in weights),
    )


def files_of(folder: Path) -> Iterator[Path]:
    """Every regular file, links left out: what they name is counted where it lies."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def table(weights: list[Weight]) -> str:
    """The weights as a table in Markdown, in megabytes (1 MB = 1,000,000 bytes)."""
    lines = ["| part | files | MB | compressed MB |", "|---|---:|---:|---:|"]
    for weight in [*weights, total(weights)]:
        megabytes = f"{weight.size / _MEGABYTE:.1f} | {weight.compressed / _MEGABYTE:.1f}"
        lines.append(f"| {weight.part} | {weight.files} | {megabytes} |")
    return "\n".join(lines)


def _part(path: Path) -> str:
    """What a file belongs to: a library with its shared objects, Python itself, our source, the executable."""
    if path.parts[0] != "_internal":
        return "our source, for the worker" if len(path.parts) > 1 else "executable and licences"
    top = path.parts[1]
    name = top.partition(".")[0].partition("-")[0]
    library = name.lstrip("_")
    if library in PACKAGES:
        return "our modules"
    if name in sys.stdlib_module_names or top in _PYTHON or name.startswith("libpython"):
        return "Python and its standard library"
    if name.startswith("lib") and len(path.parts) == 2:
        return "libraries of the system"
    return _BELONGS_TO.get(library, library)


def _compressed_size(path: Path, level: int) -> int:
    packer = zlib.compressobj(level)
    with path.open("rb") as file:
        return sum(len(packer.compress(piece)) for piece in iter(lambda: file.read(_PIECE), b"")) + len(packer.flush())
