"""Whether an environment, or an interpreter of the user's own, can run the models.

What lives here: looking and asking, never changing. What must not: torch itself; only the interpreter in question
imports it (ml_runtime/probe.py).
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import msgspec

from rpc import child
from rpc.cancel import CancelToken
from rpc.decoders import decoder_for
from rpc.errors import RequestFailed, TimedOut
from schemas.env import Environment, Status
from sidecar.environment.files import first_difference, read_list
from sidecar.environment.locate import interpreter_in, probe_script
from sidecar.environment.marker import Marker, first_touched, has_marker, read_marker
from sidecar.environment.places import Places
from sidecar.environment.progress import OnProgress, ignore_progress

NEEDED = ("torch", "opensoundscape", "bioacoustics-model-zoo", "msgspec", "duckdb", "soundfile")
OLDEST_PYTHON = (3, 11)
# The first import on a slow disk reads a GB and compiles thousands of modules.
_IMPORT_SECONDS, _LOOK_SECONDS = 600.0, 30.0


class Probed(msgspec.Struct, frozen=True, rename="camel"):
    """What an interpreter says about itself (ml_runtime/probe.py)."""

    python_version: str
    prefix: str
    executable: str
    packages: dict[str, str]
    problem: str | None = None
    import_seconds: float = 0.0
    libraries: tuple[str, ...] = ()

    @property
    def libpython(self) -> str | None:
        """Where Python's own library was loaded from; the binary itself where it is built in."""
        found = [path for path in self.libraries if re.search(r"/libpython3[^/]*\.so[^/]*$", path)]
        return found[0] if found else self.executable if self.libraries else None


class CannotRun(Exception):
    """An interpreter does not run at all, or is no Python; the message is the end of a sentence."""


def check_folder(
    folder: Path,
    *,
    deep: bool = False,
    token: CancelToken | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Environment:
    """The state of the environment in `folder`. Without `deep` it takes milliseconds: the marker and a few files."""
    try:
        return _check_folder(folder, deep, token or CancelToken(), on_progress)
    except OSError as error:
        return _state(folder, "broken", f"It cannot be looked at: {error.strerror}.")


def _check_folder(folder: Path, deep: bool, token: CancelToken, on_progress: OnProgress) -> Environment:
    marker = read_marker(folder)
    if marker is None:
        return _check_unmarked(folder, deep, token)
    if marker.state == "pending":
        return _state(folder, "incomplete", "Its setting up was interrupted.")
    problem = _at_a_glance(folder, marker)
    if problem is not None:
        return _state(folder, "broken", problem)
    if not deep:
        return ready(folder, marker)
    return _check_deeply(folder, marker, token, on_progress)


def check_interpreter(python: Path, *, deep: bool = False, token: CancelToken | None = None) -> Environment:
    """The state of an interpreter that the user brought, by asking it."""
    state = Environment(status="missing", folder=str(python.parent), python_path=str(python))
    try:
        if python.is_dir():
            return msgspec.structs.replace(state, status="broken", problem="It is a folder, not an interpreter.")
        if not python.exists():
            return msgspec.structs.replace(state, problem="There is no such file.")
    except OSError as error:
        return msgspec.structs.replace(state, status="broken", problem=f"It cannot be looked at: {error.strerror}.")
    try:
        probed = probe(python, imports=deep, token=token)
    except CannotRun as error:
        return msgspec.structs.replace(state, status="broken", problem=f"It {error}.")
    status, problem = _judge(probed)
    return Environment(
        status=status,
        folder=probed.prefix,
        python_path=str(python),
        python_version=probed.python_version,
        packages=probed.packages,
        libpython_path=probed.libpython,
        problem=problem,
    )


def probe(python: Path, *, imports: bool, token: CancelToken | None = None) -> Probed:
    """Ask an interpreter what it is and, with `imports`, whether it can import what the models need.

    Raises
    ------
    CannotRun
        It is no Python, or does not run on this machine.
    RequestCancelled
    """
    arguments = child.python_script(python, probe_script(), *(["--import"] if imports else []))
    try:
        finished = child.run(arguments, token=token, timeout=_IMPORT_SECONDS if imports else _LOOK_SECONDS)
    except TimedOut as error:
        raise CannotRun("did not answer in time") from error
    except RequestFailed as error:
        raise CannotRun(_why_not_started(error)) from error
    try:
        decoded: Probed = decoder_for(Probed).decode(finished.stdout)
    except msgspec.DecodeError as error:
        said = finished.stderr.decode(errors="replace").strip().splitlines()
        raise CannotRun(f"does not run as a Python interpreter ({said[-1] if said else 'it says nothing'})") from error
    return decoded


def ready(folder: Path, marker: Marker, libpython: str | None = None) -> Environment:
    """The state of an environment whose marker says that it is whole."""
    return Environment(
        status="ready",
        folder=str(folder),
        python_path=str(interpreter_in(folder)),
        python_version=marker.python_version,
        packages=marker.packages,
        size_bytes=marker.bytes,
        libpython_path=libpython,
    )


def missing_packages(packages: dict[str, str]) -> list[str]:
    """What the models need and `packages` lacks."""
    return [name for name in NEEDED if name not in packages]


def _check_unmarked(folder: Path, deep: bool, token: CancelToken) -> Environment:
    """A folder that env/setup has not finished, or has not made."""
    if has_marker(folder):
        return _state(folder, "broken", "What it says about itself cannot be read.")
    if Places(folder).aside.exists():
        return _state(folder, "incomplete", "It is being set up, or its setting up was interrupted.")
    if not folder.exists():
        return _state(folder, "missing", "It is not set up yet.")
    if not folder.is_dir():
        return _state(folder, "broken", "It is a file, not a folder.")
    if not any(folder.iterdir()):
        return _state(folder, "missing", "The folder is empty.")
    if not interpreter_in(folder).exists():
        return _state(folder, "broken", "There is no Python interpreter in it.")
    found = check_interpreter(interpreter_in(folder), deep=deep, token=token)
    return msgspec.structs.replace(found, folder=str(folder))


def _check_deeply(folder: Path, marker: Marker, token: CancelToken, on_progress: OnProgress) -> Environment:
    listed = read_list(folder)
    if listed is None:
        return _state(folder, "broken", "The list of its files is missing or damaged.")
    problem = first_difference(
        folder, listed.files, token, lambda done, total: on_progress("comparing files", done, total)
    )
    if problem is not None:
        return _state(folder, "broken", f"{problem}.")
    on_progress("importing the models' packages", 0, 0)
    try:
        probed = probe(interpreter_in(folder), imports=True, token=token)
    except CannotRun as error:
        return _state(folder, "broken", f"Its Python {error}.")
    status, problem = _judge(probed)
    if problem is not None:
        return _state(folder, status, problem)
    found = ready(folder, marker, probed.libpython)
    return msgspec.structs.replace(found, packages=probed.packages, python_version=probed.python_version)


def _at_a_glance(folder: Path, marker: Marker) -> str | None:
    """What the marker and a few files show to be wrong."""
    if marker.folder != str(folder):
        return f"It was moved here from {marker.folder}; set it up again."
    if not interpreter_in(folder).exists():
        return "There is no Python interpreter in it."
    return first_touched(folder, marker)


def _judge(probed: Probed) -> tuple[Status, str | None]:
    version = tuple(int(part) for part in re.findall(r"\d+", probed.python_version)[:2])
    if version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return "broken", f"It is Python {probed.python_version}; {oldest} or newer is needed."
    lacking = missing_packages(probed.packages)
    if lacking:
        return "incomplete", f"It lacks {', '.join(lacking)}."
    if probed.problem is not None:
        return "broken", probed.problem
    return "ready", None


def _why_not_started(error: RequestFailed) -> str:
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.ENOEXEC:
        return "is no program, or one for another operating system or processor"
    if isinstance(cause, PermissionError):
        return "may not be run (no permission)"
    return "cannot be started on this machine"


def _state(folder: Path, status: Status, problem: str) -> Environment:
    python = interpreter_in(folder)
    there = os.path.exists(python)  # noqa: PTH110 - Path.exists raises where it may not look
    return Environment(status=status, folder=str(folder), python_path=str(python) if there else None, problem=problem)
