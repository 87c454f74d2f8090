"""env/setup: from an archive to an environment that has proved that it works.

What lives here: the order of the steps, and what happens when one fails. What must not: how an archive is read
(archive.py), what an interpreter is asked (verify.py).

An environment grows aside, under a marker that says "pending". It takes its name when it is whole and its interpreter
runs; conda-unpack then corrects the paths in it, the models' packages are imported, and the marker that says "ready"
is written last. Whatever is interrupted before that is noticed and removed by the next call. One that is replaced
waits beside it until then, and comes back when the new one fails.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rpc import child
from rpc.errors import from_os_error
from schemas.env import Environment
from sidecar.environment import files
from sidecar.environment.archive import Extracted, extract_archive
from sidecar.environment.locate import conda_unpack_in, interpreter_in
from sidecar.environment.lock import hold
from sidecar.environment.marker import Marker, has_marker, read_marker, watch, write_marker
from sidecar.environment.order import How, Order
from sidecar.environment.places import Places
from sidecar.environment.preflight import (
    refuse_foreign,
    refuse_full_disk,
    refuse_no_archive,
    refuse_other_system,
    refuse_unusable_folder,
    refuse_wrong_sum,
)
from sidecar.environment.verify import CannotRun, Probed, check_folder, probe, ready

log = logging.getLogger(__name__)

_UNPACK_SECONDS, _FLUSH_SECONDS = 900.0, 10.0
# What of an environment is looked at again by every check; below lib/ (Windows: Lib), a * stands for one folder.
_WATCHED = (
    "libpython3*",
    "*/site-packages/torch/version.py",
    "*/site-packages/torch/lib/*torch_cpu.*",
    "*/site-packages/opensoundscape/__init__.py",
    "site-packages/torch/version.py",
    "site-packages/torch/lib/*torch_cpu.*",
)


def set_up(folder: Path, archive: Path, how: How) -> Environment:
    """Make the environment in `archive` the one in `folder`, and give its state.

    Another process that sets up the same folder is waited for.

    Raises
    ------
    ArchiveInvalid
        The archive is damaged, unsafe, not what `how.sha256` says, or does not work on this machine.
    RequestFailed
        The folder is not ours to fill. FileMissing, PermissionRefused, DiskFull as the names say.
    RequestCancelled
        Nothing is left behind; an environment that was there is there again.
    """
    refuse_no_archive(archive)
    order = Order(archive.absolute(), Places(folder.absolute()), how)
    with _turn(order):
        return _found_ready(order) or _replace(order)


def set_up_from_url(folder: Path, url: str, how: How) -> Environment:
    """As `set_up`, with an archive that is downloaded first. What broke off is gone on with by the next call.

    Raises
    ------
    InvalidParams
        The address is not https.
    DownloadFailed
        It cannot be reached, or there is no archive.
    """
    # Imported here: a sidecar that downloads nothing needs no HTTP.
    from sidecar.environment.download import Download, published_sum
    from sidecar.environment.transfer import refuse_url

    refuse_url(url)
    places = Places(folder.absolute())
    with _turn(Order(places.download, places, how, url)):
        if how.sha256 is None:
            how.on_progress("looking for the archive's sum", 0, 0)
            how = replace(how, sha256=published_sum(url, how.token))
        order = Order(places.download, places, how, url)
        found = _found_ready(order)
        if found is not None:
            return found
        download = Download(url, places.download, how.token, how.on_progress)
        download.fetch()
        if how.sha256 is None:
            how.on_progress("no sum is published for this archive: it cannot be verified", 0, 0)
            log.warning("%s has no published sum, and none was given", url)
        try:
            return _replace(order)
        finally:
            download.discard()


@contextlib.contextmanager
def _turn(order: Order) -> Iterator[None]:
    """Be the only one at work on the folder, with what others left put in order."""
    refuse_other_system(order)
    refuse_unusable_folder(order.places.folder)
    waiting = "waiting for another program that sets it up"
    with hold(order.places.lock, order.token, lambda: order.on_progress(waiting, 0, 0)):
        order.places.recover()
        yield


def _found_ready(order: Order) -> Environment | None:
    """The environment that is there, if it is ready, was made from this very archive, and will do."""
    marker = read_marker(order.places.folder)
    if order.how.force or marker is None or marker.state != "ready" or not _is_made_from(marker, order):
        return None
    found = check_folder(order.places.folder)
    return found if found.status == "ready" else None


def _is_made_from(marker: Marker, order: Order) -> bool:
    if order.sha256 is not None:
        return marker.archive_sha256 == order.sha256
    if order.url:
        return marker.archive_url == order.url
    status = order.archive.stat()
    return (marker.archive_size, marker.archive_mtime_ns) == (status.st_size, status.st_mtime_ns)


def _replace(order: Order) -> Environment:
    """Extract, put in place, verify; on any failure things are as they were."""
    refuse_wrong_sum(order)
    refuse_full_disk(order)
    aside = order.places.aside
    try:
        _make(aside)
        write_marker(aside, Marker(state="pending"))
        extracted = extract_archive(order.archive, aside, order.token, order.on_progress)
        refuse_foreign(order)
        if has_marker(order.places.folder):
            order.how.before_replacing(order.places.folder)
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


def _finish(order: Order, extracted: Extracted) -> Environment:
    """Everything that can only be done where the environment is to stay."""
    folder, started = order.places.folder, time.time()
    flushing = threading.Thread(target=getattr(os, "sync", lambda: None), name="flush", daemon=True)
    flushing.start()
    _conda_unpack(order)
    probed = _import_packages(order)
    records = files.records_now(folder, extracted.files, started, order.token)
    files.write_list(folder, files.FileList(records, extracted.links))
    flushing.join(_FLUSH_SECONDS)
    order.token.raise_if_cancelled()
    marker = _marker(order, extracted, records, probed)
    write_marker(folder, marker)
    return ready(folder, marker, probed.libpython)


def _conda_unpack(order: Order) -> None:
    """Let conda-pack's own script write this folder into the files that name their prefix."""
    script = conda_unpack_in(order.places.folder)
    if not script.exists():
        raise order.invalid("conda-pack did not make it: conda-unpack is missing in it")
    order.on_progress("correcting the paths in the environment", 0, 0)
    # Not -I: the script imports a module that lies beside it.
    command: list[str | Path] = [interpreter_in(order.places.folder), "-s", "-E", script]
    finished = child.run(command, token=order.token, timeout=_UNPACK_SECONDS)
    if finished.returncode != 0:
        said = finished.stderr.decode(errors="replace").strip().splitlines()
        raise order.invalid(f"conda-unpack failed in it ({said[-1] if said else finished.returncode})")


def _import_packages(order: Order) -> Probed:
    order.on_progress("importing the models' packages for the first time", 0, 0)
    try:
        probed = probe(interpreter_in(order.places.folder), imports=True, token=order.token)
    except CannotRun as error:
        raise order.invalid(f"its Python {error}") from error
    if probed.problem is not None:
        raise order.invalid(probed.problem)
    return probed


def _marker(order: Order, extracted: Extracted, records: tuple[files.FileRecord, ...], probed: Probed) -> Marker:
    folder, status = order.places.folder, order.archive.stat()
    return Marker(
        state="ready",
        folder=str(folder),
        archive_sha256=extracted.sha256,
        archive_url=order.url,
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


def _make(folder: Path) -> None:
    try:
        folder.mkdir()
    except OSError as error:
        raise from_os_error(error, folder, "write") from error
