"""What an interpreter can import, printed as one JSON object. Run as a script by the interpreter in question:

    <python> -I ml_runtime/probe.py [--import [--modules]]

What lives here: questions that need that interpreter. What must not: anything that a Python without our packages
cannot run; hence the standard library only, until compat.py is wanted.

Without --import, versions are read from the packages' metadata, which takes 0.1 s. With it, torch and
bioacoustics_model_zoo are really imported, which takes seconds, and the libraries that were loaded are listed (Linux).
With --modules also the compiled form of what was imported, for the build of the packed environment.
"""

import importlib
import json
import platform
import re
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

REPORTED = (
    "torch", "torchvision", "torchaudio", "opensoundscape", "bioacoustics-model-zoo",
    "numpy", "msgspec", "duckdb", "soundfile",
)  # fmt: skip
IMPORTED = ("torch", "torchvision", "torchaudio", "opensoundscape", "bioacoustics_model_zoo", "soundfile", "duckdb")


def main() -> None:
    """Print the answer; a failed import is part of it, not an error."""
    answer: dict[str, Any] = {
        "pythonVersion": platform.python_version(),
        "prefix": sys.prefix,
        "executable": sys.executable,
        "packages": _versions(),
    }
    if "--import" in sys.argv[1:]:
        started = time.monotonic()
        answer["problem"] = _import_all()
        answer["importSeconds"] = round(time.monotonic() - started, 3)
        answer["libraries"] = _loaded_libraries()
    if "--modules" in sys.argv[1:]:
        answer["compiled"] = _compiled_modules()
    print(json.dumps(answer))  # noqa: T201


def _versions() -> dict[str, str]:
    """The version of each package of interest that is installed."""
    found = {}
    for name in REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _import_all() -> str | None:
    """Import what the models need. Gives a sentence about the first that cannot be imported."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    for name in ("msgspec", "ml_runtime.compat"):
        problem = _import(name)
        if problem:
            return problem
    try:
        importlib.import_module("ml_runtime.compat").make_importable()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return str(error)
    return next((problem for problem in map(_import, IMPORTED) if problem), None)


def _import(name: str) -> str | None:
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - native libraries throw anything
        return f"{name} cannot be imported: {str(error) or type(error).__name__}"
    return None


def _compiled_modules() -> list[str]:
    """The .pyc file of every imported module that has one, and what numba compiled and keeps beside them."""
    cached = (getattr(module, "__cached__", None) for module in list(sys.modules.values()))
    compiled = {Path(path) for path in cached if isinstance(path, str) and Path(path).exists()}
    folders = {path.parent for path in compiled}
    return sorted(str(path) for path in compiled.union(*(folder.glob("*.nb[ic]") for folder in folders)))


def _loaded_libraries() -> list[str]:
    """Every file that this process has mapped to run code from, libpython among them. Linux only."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return []
    mapped = re.findall(r"^\S+ ..x. .*? (/.*)$", maps.read_text(errors="surrogateescape"), re.MULTILINE)
    return sorted({path.removesuffix(" (deleted)") for path in mapped})


if __name__ == "__main__":
    main()
