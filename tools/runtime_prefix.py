"""A relocatable copy of the running CPython, with the ML packages in it. Linux, where no conda is at hand.

What lives here: copying an installation so that nothing in the copy points out of it. What must not: packing.

A CPython that was built with a shared library finds that library by an absolute path in its binary. With the original
out of sight, a plain copy would load the system's libpython instead, silently. So every binary of the copy gets a
library path relative to itself, and every library that it needs beyond the C library is copied into it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from tools.install_ml import NUMBA_TARGET, install_ml, keep_compiled_code, read_lock
from tools.paths import ROOT
from tools.runtime_parts import LeftOut, unused_reason

# What belongs to the C library, hence to the kernel and the machine.
C_LIBRARY = re.compile(
    r"(ld-linux.*|lib(c|m|dl|pthread|rt|util|resolv|anl|mvec|nsl|BrokenLocale|thread_db|nss_\w+))([-.].*)?\.so(\.\d+)*"
)
# Wheels take these from the system. The interpreter loads its own copies first, under the same names.
_SHARED_BY_WHEELS = ("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1")
_NEUTRAL_PREFIX = "/opt/python"
_PACKAGES_OF_OTHERS = {"site-packages", "dist-packages"}
# Of an operating system's Python: what it runs at each start, and what forbids pip.
_MARKS_OF_A_DISTRIBUTION = {"sitecustomize.py", "usercustomize.py", "_distutils_system_mod.py", "EXTERNALLY-MANAGED"}


class CannotCopy(Exception):
    """This Python cannot be copied; the message says what to install."""


@dataclass(frozen=True)
class Installation:
    """Where a CPython lies, and what its packages are."""

    prefix: Path
    binary: Path
    version: str
    short: str
    site_packages: Path

    @property
    def library(self) -> PurePosixPath:
        """The standard library, relative to the prefix."""
        return PurePosixPath("lib") / f"python{self.short}"


def installation_of(python: Path) -> Installation:
    """The installation that the interpreter `python`, of a virtual environment or not, belongs to."""
    script = (
        "import json, os, platform, sys, sysconfig; json.dump([sys.base_prefix,"
        "os.path.realpath(sys._base_executable), platform.python_version(), '%d.%d' % sys.version_info[:2],"
        "sysconfig.get_path('purelib')], sys.stdout)"
    )
    answer = subprocess.run([str(python), "-I", "-c", script], check=True, capture_output=True, text=True).stdout
    prefix, binary, version, short, site_packages = json.loads(answer)
    return Installation(Path(prefix), Path(binary), version, short, Path(site_packages))


def refuse_what_cannot_be_copied(installation: Installation) -> None:
    """Tell early what a copy would only show late.

    Raises
    ------
    CannotCopy
        Not Linux, or a Python whose parts are not where they are looked for.
    """
    what_else = (
        "Install micromamba (or mamba, or conda), or a Python of its own (`uv python install 3.11`, `pyenv install "
        "3.11`), and start dev.py again (with that Python)."
    )
    if sys.platform != "linux":
        raise CannotCopy(f"On this platform the ML environment is built by conda. {what_else}")
    library = installation.prefix / installation.library
    if not ((library / "os.py").is_file() and (library / "lib-dynload").is_dir()):
        raise CannotCopy(f"{installation.binary} cannot be copied: its library is not in {library}. {what_else}")


def copy_installation(installation: Installation, prefix: Path, left_out: LeftOut) -> None:
    """Copy interpreter, shared library and standard library to `prefix`, without packages and unused parts."""
    (prefix / "bin").mkdir(parents=True)
    binary = prefix / "bin" / f"python{installation.short}"
    shutil.copy2(installation.binary, binary)
    for name in ("python", "python3"):
        (prefix / "bin" / name).symlink_to(binary.name)
    source = installation.prefix / installation.library
    for path in _files_below(source):
        relative = installation.library / path.relative_to(source).as_posix()
        if not _PACKAGES_OF_OTHERS.intersection(relative.parts) and path.name not in _MARKS_OF_A_DISTRIBUTION:
            _take(path, prefix, relative, left_out, copy=True)
    (prefix / installation.library / "site-packages").mkdir()
    _forget_original_prefix(installation, prefix)
    _forget_distribution(prefix / installation.library)


def relocate(installation: Installation, prefix: Path, patchelf: str) -> list[str]:
    """Make every binary of the copy find its libraries inside it. Gives the names of the libraries taken in."""
    binary = prefix / "bin" / f"python{installation.short}"
    library = prefix / "lib"
    extensions = sorted((prefix / installation.library / "lib-dynload").glob("*.so"))
    taken = _take_in_libraries([installation.binary, *extensions], library, installation.prefix / "lib")
    for path in [binary, *extensions, *taken]:
        path.chmod(path.stat().st_mode | 0o200)
    _patch(patchelf, "$ORIGIN/../lib", [binary])
    _patch(patchelf, "$ORIGIN/../..", extensions)
    _patch(patchelf, "$ORIGIN", taken)
    # With DT_NEEDED in the interpreter these are in place before any wheel asks for them by name.
    shared = [name for name in _SHARED_BY_WHEELS if (library / name).exists()]
    added = [argument for name in shared for argument in ("--add-needed", name)]
    subprocess.run([patchelf, *added, str(binary)], check=True)
    return sorted(path.name for path in taken)


def fill_with_packages(
    python: Path, installation: Installation, prefix: Path, left_out: LeftOut, torch_index: str | None = None
) -> str:
    """Put the ML packages into the copy; tells how. From `python`'s own where they are the lock, else by pip."""
    locked = _locked_distributions(installation.site_packages)
    if locked is not None and torch_index is None:
        for distribution in locked:
            _link_distribution(distribution, installation, prefix, left_out)
        _add_compiled(installation, prefix, compiled_by(python))
        return f"linked from {installation.site_packages.parents[2].name}"
    copied = prefix / "bin" / "python"
    bootstrap = [sys.executable, "-I", "-m", "pip", "--python", str(copied), "install", "-qq", "--no-compile", "pip"]
    subprocess.run(bootstrap, check=True)
    install_ml(copied, torch_index, with_tests=False)
    remove_unused(prefix, left_out, keep=compiled_by(copied))
    return "installed by pip"


def compiled_by(python: Path) -> list[Path]:
    """The compiled form of what `python` imports for the models' packages; importing makes what lacks.

    With it (45 MB packed) the first import on a user's machine takes a third of the time; the .pyc files of all
    modules would double the archive.

    Raises
    ------
    CannotCopy
        The packages cannot be imported.
    """
    keep_compiled_code(python)
    probe = [str(python), "-I", str(ROOT / "ml_runtime" / "probe.py"), "--import", "--modules"]
    answer = json.loads(subprocess.run(probe, check=True, capture_output=True, text=True).stdout)
    if answer["problem"] is not None:
        raise CannotCopy(f"{python}: {answer['problem']}")
    return [Path(path).resolve() for path in answer["compiled"]]


def _add_compiled(installation: Installation, prefix: Path, compiled: list[Path]) -> None:
    """Copy compiled files of an installation to where their sources were copied to."""
    below = {
        installation.site_packages: prefix / installation.library / "site-packages",
        installation.prefix / installation.library: prefix / installation.library,
    }
    for path in [installation.site_packages / NUMBA_TARGET, *compiled]:
        source = next((folder for folder in below if path.is_relative_to(folder)), None)
        if source is not None and (target := below[source] / path.relative_to(source)).parent.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(path, target)


def remove_unused(prefix: Path, left_out: LeftOut, *, keep: Iterable[Path], conda: bool = False) -> None:
    """Delete what `unused_reason` names, but nothing of `keep`, from a prefix that others filled."""
    kept = set(keep)
    for path in [path for path in _files_below(prefix) if path not in kept]:
        reason = unused_reason(PurePosixPath(path.relative_to(prefix).as_posix()), conda=conda)
        if reason is not None:
            left_out.add(reason, path)
            path.unlink()


def _locked_distributions(site_packages: Path) -> list[metadata.Distribution] | None:
    """The distributions of the lock, and pip, where all are installed in exactly the locked versions."""
    installed = {_canonical(found.name): found for found in metadata.distributions(path=[str(site_packages)])}
    for name, version in read_lock().items():
        found = installed.get(name)
        if found is None or found.version.partition("+")[0] != version or found.files is None:
            return None
    return [installed[name] for name in (*read_lock(), "pip")] if "pip" in installed else None


def _link_distribution(
    distribution: metadata.Distribution, installation: Installation, prefix: Path, left_out: LeftOut
) -> None:
    """Hard links where the file system allows, for packages are large and never written to; else copies."""
    for file in distribution.files or []:
        if ".." in file.parts:
            continue  # programs and data outside site-packages, of no use to what runs
        path = installation.site_packages / file
        if path.exists():
            relative = installation.library / "site-packages" / PurePosixPath(*file.parts)
            _take(path, prefix, relative, left_out, copy=False)


def _take(path: Path, prefix: Path, relative: PurePosixPath, left_out: LeftOut, *, copy: bool) -> None:
    reason = unused_reason(relative)
    if reason is not None:
        left_out.add(reason, path)
        return
    target = prefix / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    if not copy and not target.exists():
        try:
            os.link(path, target)
        except OSError:
            copy = True
    if copy:
        shutil.copy2(path, target, follow_symlinks=False)


def _files_below(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        here = Path(root)
        yield from (here / name for name in files)
        yield from (here / name for name in folders if (here / name).is_symlink())


def _forget_original_prefix(installation: Installation, prefix: Path) -> None:
    """The build's own record of its prefix is only right where it was built; `sys.prefix` is what counts."""
    for path in (prefix / installation.library).glob("_sysconfigdata*.py"):
        _rewrite(path, str(installation.prefix), _NEUTRAL_PREFIX)


def _forget_distribution(library: Path) -> None:
    """Debian and Ubuntu look for packages in dist-packages and install them below local/; undo it in a copy.

    NOTE: their `site` is compiled into the interpreter, so that editing site.py would change nothing.
    """
    if "dist-packages" in (library / "site.py").read_text(encoding="utf-8"):
        (library / "dist-packages").symlink_to("site-packages")
    _rewrite(library / "sysconfig.py", "prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'")


def _rewrite(path: Path, old: str, new: str) -> None:
    """Replace text in a file, which keeps its time: else each build would give another archive."""
    text, status = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(text.replace(old, new), encoding="utf-8")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _take_in_libraries(binaries: Iterable[Path], target: Path, original: Path) -> list[Path]:
    """Copy every shared library that the binaries need, and that is not the C library's, into `target`."""
    needed: dict[str, Path] = {}
    for binary in binaries:
        needed |= _needed_libraries(binary, original)
    for name in _SHARED_BY_WHEELS:
        needed.setdefault(name, _system_library(name))
    taken = []
    for name, path in needed.items():
        if not C_LIBRARY.fullmatch(name):
            shutil.copy2(path.resolve(), target / name)
            taken.append(target / name)
    return taken


def _needed_libraries(binary: Path, original: Path) -> dict[str, Path]:
    """Name and path of each library that the loader takes for `binary`, by itself or through another."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(original)}
    answer = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, env=environment).stdout
    missing = re.findall(r"(\S+) => not found", answer)
    if missing:
        raise CannotCopy(f"{binary.name} needs {missing[0]}, which is not installed.")
    return {name: Path(path) for name, path in re.findall(r"(\S+) => (/.+) \(0x", answer)}


def _system_library(name: str) -> Path:
    """Where the loader finds a library that nothing else has named yet."""
    script = f"import ctypes, re; ctypes.CDLL({name!r}); print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-I", "-c", script], check=True, capture_output=True, text=True).stdout
    found = re.search(rf"(/\S*/{re.escape(name)}\S*)$", maps, re.MULTILINE)
    if found is None:
        raise CannotCopy(f"{name} is not installed.")
    return Path(found.group(1))


def _patch(patchelf: str, library_path: str, paths: list[Path]) -> None:
    if paths:
        subprocess.run([patchelf, "--set-rpath", library_path, *map(str, paths)], check=True)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
