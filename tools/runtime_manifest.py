"""The manifest beside a packed environment: what is in it, from what it was made, how large it is.

What lives here: gathering and writing it. What must not: building.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.runtime_parts import LeftOut

_SUFFIX = ".tar.gz"
_LIST_PACKAGES = """
import json, sys
from importlib.metadata import distributions

def licence(about):
    classifiers = about.get_all("Classifier") or ()
    classified = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License")]
    named = about.get("License-Expression") or " and ".join(classified) or about.get("License") or "not stated"
    return named.strip().split("\\n")[0][:80]

found = {each.name: (each.version, licence(each.metadata)) for each in distributions()}
found["Python"] = (sys.version.split()[0], "PSF-2.0")
json.dump(dict(sorted(found.items(), key=lambda row: row[0].lower())), sys.stdout)
"""


@dataclass(frozen=True)
class Manifest:
    """The part of a manifest that the build itself reads again."""

    inputs: str
    sha256: str
    size_bytes: int


def manifest_of(archive: Path) -> Path:
    """Where the manifest of an archive lies."""
    return archive.with_name(archive.name.removesuffix(_SUFFIX) + ".json")


def read_manifest(path: Path) -> Manifest | None:
    """What a manifest says; None where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(content["inputs"], content["sha256"], content["sizeBytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_manifest(archive: Path, prefix: Path, *, inputs: str, made_by: str, left_out: LeftOut) -> Manifest:
    """Write the manifest of `archive`, which was packed from `prefix`, and its sum in sha256sum's form."""
    files = [path for path in prefix.rglob("*") if path.is_file() and not path.is_symlink()]
    packages = _packages(prefix)
    manifest = Manifest(inputs, _sha256(archive), archive.stat().st_size)
    content: dict[str, Any] = {
        "schemaVersion": 1,
        "archive": archive.name,
        "sizeBytes": manifest.size_bytes,
        "sha256": manifest.sha256,
        "unpackedBytes": sum(path.stat().st_size for path in files),
        "files": len(files),
        "platform": platform_tag(),
        "variant": variant_of(prefix),
        "madeBy": made_by,
        "builtAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": inputs,
        "packages": {name: version for name, (version, _) in packages.items()},
        "licences": {name: licence for name, (_, licence) in packages.items()},
        "leftOut": [{"what": what, "files": count, "bytes": size} for what, count, size in left_out.rows()],
    }
    manifest_of(archive).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    archive.with_name(archive.name + ".sha256").write_text(f"{manifest.sha256}  {archive.name}\n", encoding="utf-8")
    return manifest


def platform_tag() -> str:
    """The platform in an archive's name: linux-x86_64, macos-arm64, windows-x86_64."""
    system = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    return f"{system}-{ {'amd64': 'x86_64'}.get(machine, machine) }"


def variant_of(prefix: Path) -> str:
    """What torch in `prefix` computes on: cpu or cuda."""
    version = next(path for path in prefix.glob("[Ll]ib/**/site-packages/torch/version.py"))
    return "cpu" if re.search(r"^cuda\b.*=\s*None", version.read_text(encoding="utf-8"), re.MULTILINE) else "cuda"


def _packages(prefix: Path) -> dict[str, tuple[str, str]]:
    """Version and licence of each package in `prefix`, as its own interpreter sees them."""
    python = prefix / "python.exe" if sys.platform == "win32" else prefix / "bin" / "python"
    command = [str(python), "-I", "-B", "-c", _LIST_PACKAGES]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: (version, licence) for name, (version, licence) in json.loads(answer).items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
