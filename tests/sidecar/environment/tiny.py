"""Environment archives of a few kB, good and evil.

The interpreter in them is a fake: a shell script that answers ml_runtime/probe.py's questions itself and hands
everything else to a real Python. What a real one says is tested with the real archive.
"""

from __future__ import annotations

import gzip
import io
import json
import shlex
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

PACKAGES = dict.fromkeys(("torch", "opensoundscape", "bioacoustics-model-zoo", "msgspec", "duckdb", "soundfile"), "1.0")
PREFIX = "/where/it/was/built"
UNPACK = """
import pathlib, sys
root = pathlib.Path(__file__).resolve().parent.parent
for path in (root / "etc").glob("*.conf"):
    path.write_text(path.read_text().replace({prefix!r}, str(root)))
sys.exit({code})
"""

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


def write(path: Path, entries: Iterable[Entry], *, compressed: bool = True) -> Path:
    """Write an archive as tarfile does it, without any check."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(gzip.compress(plain.getvalue(), 1) if compressed else plain.getvalue())
    return path
