"""Where the ML environment lies, and where its interpreter lies in it.

What lives here: paths. What must not: running or changing anything.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rpc.errors import InvalidParams

_FOLDER = "environment"
_ARCHIVES = "environments"
_PROBE = Path("ml_runtime") / "probe.py"


def default_folder(cache_folder: Path) -> Path:
    """Where the environment is set up unless a folder is named: it can be made again, so it is cache."""
    return cache_folder / _FOLDER


def chosen_folder(folder: str | None, cache_folder: Path) -> Path:
    """The absolute folder of an environment.

    Raises
    ------
    InvalidParams
        There can be no such folder, or it is inside the frozen application, which updates replace and signatures
        protect.
    """
    if folder is not None and ("\0" in folder or not Path(folder).absolute().name):
        raise InvalidParams(f"$.folder: {folder!r} cannot be an environment's folder; choose one below it.")
    path = Path(folder).absolute() if folder else default_folder(cache_folder)
    application = application_folder()
    if application is not None and path.is_relative_to(application):
        raise InvalidParams(f"$.folder: {path} is inside the application itself; choose a folder outside it.")
    return path


def interpreter_in(folder: Path) -> Path:
    """The interpreter of the environment in `folder`."""
    return folder / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"


def conda_unpack_in(folder: Path) -> Path:
    """The script that corrects the prefix after unpacking; to be run by the environment's own interpreter."""
    if sys.platform == "win32":
        return folder / "Scripts" / "conda-unpack-script.py"
    return folder / "bin" / "conda-unpack"


def application_folder() -> Path | None:
    """The folder of the frozen application; None when run from source."""
    return Path(sys.executable).resolve().parent if getattr(sys, "frozen", False) else None


def source_folder() -> Path:
    """The folder that holds ml_runtime/: beside the frozen executable, or the checkout."""
    return application_folder() or Path(__file__).resolve().parents[2]


def probe_script() -> Path:
    """The script that an interpreter runs to say what it can import."""
    return source_folder() / _PROBE


def shipped_archives() -> Path:
    """The folder of archives that came with the application, or were built in the checkout."""
    return source_folder() / _ARCHIVES
