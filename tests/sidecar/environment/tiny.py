"""Environment archives of a few kB, good and evil.

The interpreter in them is a fake: a shell script that answers ml_runtime/probe.py's questions itself and hands
everything else to a real Python. What a real one says is tested with the real archive.
"""

from __future__ import annotations

import gzip
import io
import json
import shlex
import stat
import sys
import tarfile
import time
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKAGES = dict.fromkeys(("torch", "opensoundscape", "bioacoustics-model-zoo", "msgspec", "duckdb", "soundfile"), "1.0")
PREFIX = "/where/it/was/built"
UNPACK = """
import pathlib, sys
root = pathlib.Path(__file__).resolve().parent.parent
for path in (root / "etc").glob("*.conf"):
    path.write_text(path.read_text().replace({prefix!r}, str(root)))
sys.exit({code})
"""

_TYPES = {
    tarfile.REGTYPE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO,
}  # fmt: skip

Entry = tuple[tarfile.TarInfo, bytes]


def fake_python(
    *,
    packages: dict[str, str] = PACKAGES,
    problem: str | None = None,
    version: str = "3.11.7",
    before: str = "",
    before_import: str = "",
) -> bytes:
    """A shell script for an interpreter. `before` and `before_import` run before any and before a deep answer."""
    answer = {"pythonVersion": version, "prefix": "/fake", "executable": "/fake/bin/python", "packages": packages}
    deep = answer | {"problem": problem, "importSeconds": 0.1, "libraries": ["/fake/lib/libpython3.11.so.1.0"]}
    return f"""#!/bin/sh
{before}
case "$*" in
  *probe.py*--import*) {before_import or ":"}
    printf '%s\\n' {shlex.quote(json.dumps(deep))};;
  *probe.py*) printf '%s\\n' {shlex.quote(json.dumps(answer))};;
  *) exec {shlex.quote(sys.executable)} "$@";;
esac
""".encode()


def file(name: str, content: bytes = b"content", mode: int = 0o644, **fields: object) -> Entry:
    """A member; `fields` overrides what is in its header."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), mode, 1_700_000_000
    for field, setting in fields.items():
        setattr(info, field, setting)
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Entry:
    """A symbolic link, or a hard link."""
    return file(name, b"", type=kind, linkname=target)


def folder(name: str) -> Entry:
    return file(name, b"", 0o755, type=tarfile.DIRTYPE)


def environment(python: bytes | None = None, *, unpack_code: int = 0, extra: Iterable[Entry] = ()) -> list[Entry]:
    """The members of a working environment, and `extra` ones."""
    return [
        file("bin/python", python or fake_python(), 0o755),
        file("bin/conda-unpack", UNPACK.format(prefix=PREFIX, code=unpack_code).encode(), 0o755),
        file("conda-meta/history", b""),
        file("etc/paths.conf", f"home={PREFIX}/lib\n".encode()),
        file("lib/python3.11/site-packages/torch/version.py", b"__version__ = '1.0'\n"),
        file("lib/libpython3.11.so.1.0", b"\x7fELF no more than that" * 100),
        link("lib/libpython3.11.so", "libpython3.11.so.1.0"),
        *extra,
    ]


KINDS = (".tar.gz", ".tar.zst", ".zip")


def write(path: Path, entries: Iterable[Entry]) -> Path:
    """Write an archive of the kind that its name tells, without any check."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".zip"):
        path.write_bytes(_zip(entries))
        return path
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(compressed(path.name, plain.getvalue()))
    return path


def compressed(name: str, content: bytes) -> bytes:
    """As a file of that name would hold it."""
    if name.endswith(".zst"):
        return bytes(zstd.compress(content, 1))
    return gzip.compress(content, 1) if name.endswith(".gz") else content


def _zip(entries: Iterable[Entry]) -> bytes:
    """As conda-pack writes them with --zip-symlinks: modes of Unix, links as files that hold their target."""
    plain = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in entries:
            entry = zipfile.ZipInfo(info.name, time.localtime(info.mtime)[:6])
            entry.filename = info.name
            entry.create_system = 3
            entry.external_attr = (_TYPES[info.type] | info.mode) << 16
            if info.isdir():
                entry.filename = info.name.rstrip("/") + "/"
            archive.writestr(entry, info.linkname.encode() if info.issym() else content, zipfile.ZIP_DEFLATED)
    return plain.getvalue()
