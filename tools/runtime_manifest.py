"""The manifest beside a packed environment: what is in it, from what it was made, how large it is.

What lives here: gathering and writing it. What must not: building.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sidecar.environment.naming import platform_tag, without_suffix
from tools.notices.component import Component
from tools.notices.document import NAME as NOTICES
from tools.runtime_parts import LeftOut


@dataclass(frozen=True)
class Making:
    """How an archive was made: a digest of what from, by what, without what, and whose work is in it."""

    inputs: str
    by: str
    left_out: LeftOut
    components: Sequence[Component]


@dataclass(frozen=True)
class Manifest:
    """The part of a manifest that the build itself reads again."""

    inputs: str
    sha256: str
    size_bytes: int


def manifest_of(archive: Path) -> Path:
    """Where the manifest of an archive lies."""
    return archive.with_name(without_suffix(archive.name) + ".json")


def read_manifest(path: Path) -> Manifest | None:
    """What a manifest says; None where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(content["inputs"], content["sha256"], content["sizeBytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_manifest(archive: Path, prefix: Path, made: Making) -> Manifest:
    """Write the manifest of `archive`, which was packed from `prefix`, and its sum in sha256sum's form."""
    files = [path for path in prefix.rglob("*") if path.is_file() and not path.is_symlink()]
    manifest = Manifest(made.inputs, _sha256(archive), archive.stat().st_size)
    content: dict[str, Any] = {
        "schemaVersion": 1,
        "archive": archive.name,
        "sizeBytes": manifest.size_bytes,
        "sha256": manifest.sha256,
        "unpackedBytes": sum(path.stat().st_size for path in files),
        "files": len(files),
        "platform": platform_tag(),
        "variant": variant_of(prefix),
        "madeBy": made.by,
        "builtAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": made.inputs,
        "packages": {component.name: component.version for component in made.components if component.version},
        "licences": {component.name: component.licence for component in made.components},
        "licenceTexts": NOTICES,
        "leftOut": [{"what": what, "files": count, "bytes": size} for what, count, size in made.left_out.rows()],
    }
    manifest_of(archive).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    archive.with_name(archive.name + ".sha256").write_text(f"{manifest.sha256}  {archive.name}\n", encoding="utf-8")
    return manifest


def variant_of(prefix: Path) -> str:
    """What torch in `prefix` computes on: cpu or cuda."""
    version = next(path for path in prefix.glob("[Ll]ib/**/site-packages/torch/version.py"))
    return "cpu" if re.search(r"^cuda\b.*=\s*None", version.read_text(encoding="utf-8"), re.MULTILINE) else "cuda"


def version_of_python(prefix: Path) -> str:
    """The version of the interpreter in `prefix`, as it says itself."""
    python = prefix / "python.exe" if sys.platform == "win32" else prefix / "bin" / "python"
    command = [str(python), "-I", "-B", "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
