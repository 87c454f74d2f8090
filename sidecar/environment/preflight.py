"""What env/setup makes sure of before it changes anything.

What lives here: refusals. What must not: extracting, replacing.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from rpc.errors import ArchiveInvalid, DiskFull, FileMissing, RequestFailed, from_os_error
from sidecar.environment.locate import interpreter_in
from sidecar.environment.marker import has_marker
from sidecar.environment.naming import platform_tag, system_of, without_suffix
from sidecar.environment.order import Order
from sidecar.environment.stream import sha256_of
from sidecar.environment.verify import CannotRun, missing_packages, probe

# Environments were measured to shrink to a third; by zstandard, at its best, to less than a quarter.
_GROWTH = {".tar.zst": 4.5}
_USUAL_GROWTH = 3.2
_INTERPRETERS = ("python.exe", "bin/python")


def refuse_no_archive(archive: Path) -> None:
    """There is a file of that name."""
    if not archive.exists():
        raise FileMissing(f"There is no environment archive {archive}.", path=archive)
    if not archive.is_file():
        raise ArchiveInvalid(f"{archive} is not an archive but a folder.", path=archive)


def refuse_unusable_folder(folder: Path) -> None:
    """The folder is new, empty, or was made by env/setup; the folder above it is made if needed."""
    try:
        for path in (folder, *folder.parents):
            if path.exists() and not path.is_dir():
                raise RequestFailed(f"{path} is a file, not a folder.", path=path, hint="Choose another folder.")
        if folder.exists() and not has_marker(folder) and any(folder.iterdir()):
            raise RequestFailed(
                f"{folder} is not empty, and its content was not made by env/setup.",
                path=folder,
                hint="Choose an empty or new folder.",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, folder, "write") from error


def refuse_other_system(order: Order) -> None:
    """By its name the archive is not for another operating system. Another processor's may be emulated."""
    system, here = system_of(order.name), platform_tag().partition("-")[0]
    if system is not None and system != here:
        raise order.invalid(f"it is for {system}, and this is {here}")


def refuse_wrong_sum(order: Order) -> None:
    """The archive is the one that was meant."""
    if order.sha256 is None:
        return
    found = sha256_of(
        order.archive, order.token, lambda done, total: order.on_progress("checking the archive's sum", done, total)
    )
    if found != order.sha256:
        raise order.invalid(f"its SHA-256 is {found}, not {order.sha256}")


def refuse_full_disk(order: Order) -> None:
    """Better before the first byte than after a minute."""
    needed = unpacked_bytes(order.archive)
    parent = order.places.folder.parent
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise DiskFull(
            f"The environment needs {needed / 1e9:.1f} GB, and {parent} has {free / 1e9:.1f} GB free.",
            path=parent,
            hint="Free some space, or choose a folder on another disk.",
        )


def unpacked_bytes(archive: Path) -> int:
    """What the manifest beside the archive says, else an estimate."""
    real = archive.resolve()
    try:
        manifest = msgspec.json.decode(real.with_name(without_suffix(real.name) + ".json").read_bytes())
        return int(manifest["unpackedBytes"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return int(real.stat().st_size * growth_of(real.name))


def growth_of(name: str) -> float:
    """How many times as large as the archive `name` what comes out of it is, about."""
    return next((growth for suffix, growth in _GROWTH.items() if name.endswith(suffix)), _USUAL_GROWTH)


def refuse_foreign(order: Order) -> None:
    """Before anything is replaced: there is a Python in it, it runs here, and the models' packages are there."""
    python = interpreter_in(order.places.aside)
    if not python.exists():
        others = [path for path in _INTERPRETERS if (order.places.aside / path).exists()]
        raise order.invalid("it is for another operating system" if others else "there is no Python interpreter in it")
    try:
        probed = probe(python, imports=False, token=order.token)
    except CannotRun as error:
        raise order.invalid(f"its Python {error}") from error
    lacking = missing_packages(probed.packages)
    if lacking:
        raise order.invalid(f"it lacks {', '.join(lacking)}")
