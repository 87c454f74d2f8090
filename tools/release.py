"""What a release attaches, in dist/release/: the frozen sidecar packed, the environment archive, a sum of each.

    python3 dev.py dist

What lives here: packing what was built, the same bytes for the same files. What must not: building (build_sidecar.py,
build_runtime.py), uploading (.github/workflows/release.yml).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from schemas.version import VERSION
from sidecar.environment.naming import platform_tag
from tools.paths import ARCHIVE, FROZEN, ROOT
from tools.runtime_manifest import manifest_of

RELEASE = ROOT / "dist" / "release"
_NAME = "dipper-sidecar"
_LEVEL = 9
_EPOCH = 315_532_800
"""1980-01-01, the first moment that a zip file knows."""


def pack_release(folder: Path, frozen: Path, archive: Path) -> list[Path]:
    """Put into `folder`, and nothing else there, all that this platform adds to a release.

    `frozen` is the folder of the frozen sidecar, `archive` the environment archive or a link to it, beside which its
    manifest and its sum lie.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    attached = [pack_sidecar(folder, frozen)]
    whole = archive.resolve()
    for path in (whole, manifest_of(whole), whole.with_name(f"{whole.name}.sha256")):
        attached.append(_linked(path, folder / path.name))
    sums = folder / f"SHA256SUMS-{platform_tag()}"
    sums.write_text("".join(f"{sha256_of(path)}  {path.name}\n" for path in attached), "utf-8", newline="\n")
    return [*attached, sums]


def pack_sidecar(folder: Path, frozen: Path) -> Path:
    """The frozen sidecar as one file: a zip on Windows, a tar.gz elsewhere, where modes and links count.

    Owners, times and order in it are always the same, so that it depends on the files alone.
    """
    name = f"{_NAME}-{VERSION}-{platform_tag()}"
    if sys.platform == "win32":
        return _zipped(folder / f"{name}.zip", frozen)
    return _tarred(folder / f"{name}.tar.gz", frozen)


def sha256_of(path: Path) -> str:
    """In hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _tarred(target: Path, frozen: Path) -> Path:
    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = _EPOCH
        info.mode = 0o755 if info.mode & 0o100 else 0o644
        return info

    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _entries(frozen):
            tar.add(path, f"sidecar/{path.relative_to(frozen).as_posix()}", recursive=False, filter=plain)
    return target


def _zipped(target: Path, frozen: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as packed:
        for path in _entries(frozen):
            if path.is_file():
                info = zipfile.ZipInfo(f"sidecar/{path.relative_to(frozen).as_posix()}")
                info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                packed.writestr(info, path.read_bytes(), compresslevel=_LEVEL)
    return target


def _entries(folder: Path) -> Iterator[Path]:
    """Everything below, in an order that no file system decides."""
    return iter(sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()))


def _linked(path: Path, target: Path) -> Path:
    """The same file under another name; a copy where the disk cannot link."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
    return target


def main() -> int:
    """Pack what was built."""
    for path in pack_release(RELEASE, FROZEN.parent, ARCHIVE):
        print(f"dev: {path.relative_to(ROOT).as_posix()}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
