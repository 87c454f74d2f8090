"""Installing the ML packages into an interpreter: for `.ml` and for the environment that is packed.

What lives here: the order in which pip must be asked, and which versions. What must not: making environments.

The order matters. torchvision and torchaudio each name the torch release that they were built for, and the newest
ones of a package index need not name the same: asked for all at once, pip may replace torch by another build, on
Linux by the CUDA one of several GB. Hence torch first, its two companions without their dependencies, then the rest.

Which versions:

* requirements/ml-<platform>.txt, complete and exact, where there is one for this platform and this Python;
* elsewhere requirements/ml.in, held to the lock that is tested as far as it has wheels there (pip's constraints);
* where a locked version has no wheel at all: requirements/ml.in with its lower bounds alone, and it says so.

A lock begins with "Locked on" where it was installed and tested, with "Locked for" where it was only resolved
(tools/lock_elsewhere.py): if that cannot be installed, it is as if it were not there.

On Linux the plain index offers torch for CUDA, which works without a GPU too but is several GB: that is said before it
is installed, together with `--torch-index`, which takes torch from PyTorch's own index of CPU builds.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sidecar.environment.naming import platform_tag, tag_of
from tools.paths import REQUIREMENTS
from tools.processes import CommandFailed, run

TESTED_LOCK = REQUIREMENTS / "ml-linux-x86_64.txt"
_BOUNDS, _TESTS = REQUIREMENTS / "ml.in", REQUIREMENTS / "ml-tests.txt"
NUMBA_TARGET = "numba_target.pth"
TORCH = ("torch", "torchvision", "torchaudio")
CUDA_REQUIREMENT = re.compile(r"^(nvidia-|cuda-|triton\b)", re.IGNORECASE)


def install_ml(python: Path, torch_index: str | None = None, *, with_tests: bool = True) -> None:
    """Install the ML packages, and what their tests need, for the interpreter `python`.

    Parameters
    ----------
    python
        An interpreter with pip, of a virtual environment or of a prefix of its own.
    torch_index
        The package index for torch, torchvision and torchaudio; none: pip's own.
    with_tests
        Also what the tests of ml_runtime need.

    Raises
    ------
    CommandFailed
        If pip cannot install them.
    """
    lock = _Lock.for_interpreter(python)
    _install_torch(python, lock, torch_index)
    if not (lock.is_exact and _install_exactly(python, lock)):
        _install_bounded(python, lock)
    keep_compiled_code(python)
    if with_tests:
        _pip(python, *_read_requirements(_TESTS).values())


def keep_compiled_code(python: Path) -> None:
    """Let numba compile for any processor of this kind.

    What it compiles at the first import of librosa (25 s) then stays valid when the environment is packed and
    extracted on another machine. librosa's few loops gain nothing from a particular processor.
    """
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    answer = subprocess.run([str(python), "-I", "-c", script], check=True, capture_output=True, text=True)
    target = 'import os; os.environ.setdefault("NUMBA_CPU_NAME", "generic")\n'
    (Path(answer.stdout.strip()) / NUMBA_TARGET).write_text(target, encoding="utf-8")


@dataclass(frozen=True)
class _Lock:
    """A lock's lines by canonical name. `is_exact`: made for this platform and Python; `is_tested`: and tried there."""

    path: Path
    lines: dict[str, str]
    is_exact: bool
    is_tested: bool

    @classmethod
    def for_interpreter(cls, python: Path) -> _Lock:
        tag = _interpreter_tag(python)
        path = lock_path(tag_of(*tag.split()[:2]))
        how, _, locked = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# Locked ").partition(" ")
        return cls(path, _read_requirements(path), locked == tag, locked == tag and how == "on")

    @property
    def without_torch(self) -> list[str]:
        return [line for name, line in self.lines.items() if name not in TORCH]


def lock_path(platform_tag: str = platform_tag()) -> Path:
    """The lock for a platform; where there is none the one that is tested."""
    path = REQUIREMENTS / f"ml-{platform_tag}.txt"
    return path if path.exists() else TESTED_LOCK


def read_lock() -> dict[str, str]:
    """The locked version of each package of the ML environment, by canonical name."""
    return {name: line.partition("==")[2] for name, line in _read_requirements(lock_path()).items()}


def _install_torch(python: Path, lock: _Lock, torch_index: str | None) -> None:
    torch, *companions = (lock.lines[name] for name in TORCH)
    if torch_index is None and _is_for_cuda(python, torch):
        _say(
            "the torch of this machine's package index is the CUDA build, several GB. PyTorch's own index of CPU builds"
        )
        _say("(its Get Started page names it) saves most of that: python3 dev.py setup --torch-index URL")
    _say(f"installing {torch}" + (f" from {torch_index}" if torch_index else ""))
    where = ("--index-url", torch_index) if torch_index else ()
    try:
        _pip(python, *where, torch)
        _pip(python, "--no-deps", *where, *companions)
    except CommandFailed:
        if lock.is_tested:
            raise
        bounds = _read_requirements(_BOUNDS)
        _say("the locked torch has no build for this platform; installing the newest that has")
        _pip(python, *where, *(bounds[name] for name in TORCH))


def _is_for_cuda(python: Path, requirement: str) -> bool:
    """Whether pip would choose a CUDA build by itself, as it does on Linux."""
    if sys.platform != "linux":
        return False
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        _pip(python, "--dry-run", "--no-deps", "--ignore-installed", "--report", str(report), requirement)
        chosen = json.loads(report.read_text(encoding="utf-8"))["install"][0]["metadata"]
    wants_cuda = any(CUDA_REQUIREMENT.match(line) for line in chosen.get("requires_dist", []))
    return wants_cuda and "+cpu" not in chosen["version"]


def _install_exactly(python: Path, lock: _Lock) -> bool:
    """The packages as locked; whether that could be done, for a lock that nobody has tried yet."""
    _say(f"installing {len(lock.without_torch)} packages for the models, as locked in {lock.path.name}")
    try:
        _pip(python, "--no-deps", *lock.without_torch)
    except CommandFailed:
        if lock.is_tested:
            raise
        return False
    return True


def _install_bounded(python: Path, lock: _Lock) -> None:
    """The packages on a platform without a lock of its own, never touching torch."""
    _say("installing the packages for the models, as near to the lock as this platform allows")
    bounds = [line for name, line in _read_requirements(_BOUNDS).items() if name not in TORCH]
    torch = [line for line in _frozen(python) if line.partition("==")[0] in TORCH]
    try:
        _pip(python, "--constraint", str(lock.path), *bounds)
    except CommandFailed:
        _say("some locked versions have no build for this platform; taking newer ones")
        _pip(python, *bounds, *torch)


def _frozen(python: Path) -> list[str]:
    command = [str(python), "-I", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def _pip(python: Path, *arguments: str) -> None:
    run([python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "-qq", "--no-compile", *arguments])


def _interpreter_tag(python: Path) -> str:
    script = "import platform, sys; print(sys.platform, platform.machine(), 'python %d.%d' % sys.version_info[:2])"
    return subprocess.run([str(python), "-I", "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def _read_requirements(path: Path) -> dict[str, str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return {_name(line): line for line in lines if line and not line.startswith("#")}


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, f"no requirement: {requirement}"
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def _say(sentence: str) -> None:
    print(f"ml: {sentence}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Install into the interpreter named on the command line."""
    parser = argparse.ArgumentParser(prog="install_ml", description="Install the ML packages into an interpreter.")
    parser.add_argument("python", type=Path)
    parser.add_argument("--torch-index", metavar="URL")
    parser.add_argument("--without-tests", action="store_true")
    options = parser.parse_args(arguments)
    _say(f"for {options.python} on {platform.platform()}")
    install_ml(options.python, options.torch_index, with_tests=not options.without_tests)
    return 0


if __name__ == "__main__":
    sys.exit(main())
