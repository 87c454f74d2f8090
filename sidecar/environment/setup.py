"""env/setup: from an archive to an environment that has proved that it works.

What lives here: the order of the steps, and what happens when one fails. What must not: how an archive is read
(archive.py), what an interpreter is asked (verify.py).

An environment grows aside, under a marker that says "pending". It takes its name when it is whole and its interpreter
runs; conda-unpack then corrects the paths in it, the models' packages are imported, and the marker that says "ready"
is written last. Whatever is interrupted before that is noticed and removed by the next call. One that is replaced
waits beside it until then, and comes back when the new one fails.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rpc import child
from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid, DiskFull, FileMissing, RequestFailed, from_os_error
from schemas.env import Environment
from sidecar.environment import files
from sidecar.environment.archive import Extracted, extract_archive
from sidecar.environment.locate import conda_unpack_in, interpreter_in
from sidecar.environment.lock import hold
from sidecar.environment.marker import Marker, has_marker, read_marker, watch, write_marker
from sidecar.environment.places import Places
from sidecar.environment.progress import OnProgress
from sidecar.environment.stream import sha256_of
from sidecar.environment.verify import CannotRun, Probed, check_folder, missing_packages, probe, ready

# Environments were measured to shrink to a third.
_GROWTH = 3.2
_UNPACK_SECONDS, _FLUSH_SECONDS = 900.0, 60.0
# What of an environment is looked at again by every check; below lib/ (Windows: Lib), a * stands for one folder.
_WATCHED = (
    "libpython3*",
    "*/site-packages/torch/version.py",
    "*/site-packages/torch/lib/*torch_cpu.*",
    "*/site-packages/opensoundscape/__init__.py",
    "site-packages/torch/version.py",
    "site-packages/torch/lib/*torch_cpu.*",
)


@dataclass(frozen=True, slots=True)
class _Order:
    """What to set up, and where."""

    archive: Path
    sha256: str | None
    places: Places
    token: CancelToken
    on_progress: OnProgress


def set_up(
    folder: Path,
    archive: Path,
    *,
    sha256: str | None = None,
    force: bool = False,
    token: CancelToken,
    on_progress: OnProgress,
) -> Environment:
    """Make the environment in `archive` the one in `folder`, and give its state.

    Another process that sets up the same folder is waited for.

    Raises
    ------
    ArchiveInvalid
        The archive is damaged, unsafe, not what `sha256` says, or does not work on this machine.
    RequestFailed
        The folder is not ours to fill. FileMissing, PermissionRefused, DiskFull as the names say.
    RequestCancelled
        Nothing is left behind; an environment that was there is there again.
    """
    order = _Order(archive.absolute(), sha256 and sha256.lower(), Places(folder.absolute()), token, on_progress)
    _refuse_unusable(order)
    with hold(order.places.lock, token, lambda: on_progress("waiting for another program that sets it up", 0, 0)):
        order.places.recover()
        if not force and _is_this_archive(order):
            found = check_folder(order.places.folder)
            if found.status == "ready":
                return found
        return _replace(order)


def _replace(order: _Order) -> Environment:
    """Extract, put in place, verify; on any failure things are as they were."""
    _refuse_wrong_sum(order)
    _refuse_full_disk(order)
    aside = order.places.aside
    try:
        _make(aside)
        write_marker(aside, Marker(state="pending"))
        extracted = extract_archive(order.archive, aside, order.token, order.on_progress)
        _refuse_foreign(order)
        order.places.put_in_place()
    except BaseException:
        order.places.discard(aside)
        raise
    try:
        environment = _finish(order, extracted)
    except BaseException:
        order.places.take_back()
        raise
    order.places.discard(order.places.old)
    return environment


def _finish(order: _Order, extracted: Extracted) -> Environment:
    """Everything that can only be done where the environment is to stay."""
    folder, started = order.places.folder, time.time()
    flushing = threading.Thread(target=getattr(os, "sync", lambda: None), name="flush", daemon=True)
    flushing.start()
    _conda_unpack(order)
    probed = _import_packages(order)
    records = files.records_now(folder, extracted.files, started, order.token)
    files.write_records(folder, records)
    flushing.join(_FLUSH_SECONDS)
    order.token.raise_if_cancelled()
    marker = _marker(order, extracted, records, probed)
    write_marker(folder, marker)
    return ready(folder, marker, probed.libpython)


def _conda_unpack(order: _Order) -> None:
    """Let conda-pack's own script write this folder into the files that name their prefix."""
    script = conda_unpack_in(order.places.folder)
    if not script.exists():
        raise _invalid(order, "conda-pack did not make it: conda-unpack is missing in it")
    order.on_progress("correcting the paths in the environment", 0, 0)
    # Not -I: the script imports a module that lies beside it.
    command: list[str | Path] = [interpreter_in(order.places.folder), "-s", "-E", script]
    finished = child.run(command, token=order.token, timeout=_UNPACK_SECONDS)
    if finished.returncode != 0:
        said = finished.stderr.decode(errors="replace").strip().splitlines()
        raise _invalid(order, f"conda-unpack failed in it ({said[-1] if said else finished.returncode})")


def _import_packages(order: _Order) -> Probed:
    order.on_progress("importing the models' packages for the first time", 0, 0)
    try:
        probed = probe(interpreter_in(order.places.folder), imports=True, token=order.token)
    except CannotRun as error:
        raise _invalid(order, f"its Python {error}") from error
    if probed.problem is not None:
        raise _invalid(order, probed.problem)
    return probed


def _marker(order: _Order, extracted: Extracted, records: list[files.FileRecord], probed: Probed) -> Marker:
    folder, status = order.places.folder, order.archive.stat()
    return Marker(
        state="ready",
        folder=str(folder),
        archive_sha256=extracted.sha256,
        archive_size=status.st_size,
        archive_mtime_ns=status.st_mtime_ns,
        python_version=probed.python_version,
        packages=probed.packages,
        files=len(records),
        bytes=sum(record.size for record in records),
        watched=watch(folder, _paths_to_watch(folder)),
    )


def _paths_to_watch(folder: Path) -> list[str]:
    """The interpreter, its library, and what of the models' packages would be missed first."""
    libraries = [path for name in ("lib", "Lib") if (path := folder / name).is_dir()]
    found = list(folder.glob("python3*.dll"))
    for library in libraries[:1]:
        found += [path for pattern in _WATCHED for path in sorted(library.glob(pattern)) if not path.is_symlink()]
    return [path.relative_to(folder).as_posix() for path in (interpreter_in(folder), *found)]


def _is_this_archive(order: _Order) -> bool:
    """Whether the environment that is there was made from this very archive."""
    marker = read_marker(order.places.folder)
    if marker is None or marker.state != "ready":
        return False
    if order.sha256 is not None:
        return marker.archive_sha256 == order.sha256
    status = order.archive.stat()
    return (marker.archive_size, marker.archive_mtime_ns) == (status.st_size, status.st_mtime_ns)


def _refuse_unusable(order: _Order) -> None:
    folder, archive = order.places.folder, order.archive
    if not archive.exists():
        raise FileMissing(f"There is no environment archive {archive}.", path=archive)
    if not archive.is_file():
        raise ArchiveInvalid(f"{archive} is not an archive but a folder.", path=archive)
    if folder.exists() and not folder.is_dir():
        raise RequestFailed(f"{folder} is a file, not a folder.", path=folder, hint="Choose another folder.")
    try:
        if folder.exists() and not has_marker(folder) and any(folder.iterdir()):
            raise RequestFailed(
                f"{folder} is not empty, and its content was not made by env/setup.",
                path=folder,
                hint="Choose an empty or new folder.",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, folder, "write") from error


def _refuse_wrong_sum(order: _Order) -> None:
    if order.sha256 is None:
        return
    found = sha256_of(
        order.archive, order.token, lambda done, total: order.on_progress("checking the archive's sum", done, total)
    )
    if found != order.sha256:
        raise _invalid(order, f"its SHA-256 is {found}, not {order.sha256}")


def _refuse_full_disk(order: _Order) -> None:
    """Better before the first byte than after a minute."""
    needed = _unpacked_bytes(order.archive)
    parent = order.places.folder.parent
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise DiskFull(
            f"The environment needs {needed / 1e9:.1f} GB, and {parent} has {free / 1e9:.1f} GB free.",
            path=parent,
            hint="Free some space, or choose a folder on another disk.",
        )


def _unpacked_bytes(archive: Path) -> int:
    """What the manifest beside the archive says, else an estimate."""
    real = archive.resolve()
    try:
        manifest = msgspec.json.decode(real.with_name(real.name.removesuffix(".tar.gz") + ".json").read_bytes())
        return int(manifest["unpackedBytes"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return int(real.stat().st_size * _GROWTH)


def _refuse_foreign(order: _Order) -> None:
    """Before anything is replaced: there is a Python in it, it runs here, and the models' packages are there."""
    python = interpreter_in(order.places.aside)
    if not python.exists():
        raise _invalid(order, "there is no Python interpreter in it")
    try:
        probed = probe(python, imports=False, token=order.token)
    except CannotRun as error:
        raise _invalid(order, f"its Python {error}") from error
    lacking = missing_packages(probed.packages)
    if lacking:
        raise _invalid(order, f"it lacks {', '.join(lacking)}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir()
    except OSError as error:
        raise from_os_error(error, folder, "write") from error


def _invalid(order: _Order, reason: str) -> ArchiveInvalid:
    return ArchiveInvalid(
        f"{order.archive.name} is not a usable environment archive: {reason}.",
        path=order.archive,
        hint="Get the archive again, or one for this kind of computer.",
    )
