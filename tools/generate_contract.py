"""Writes what is generated from the structs: JSON Schemas, the OpenRPC document, TypeScript, docs/protocol.md.

`python3 dev.py contract` writes, `--check` only tells whether what is committed is current.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from schemas.catalogue import METHODS, WORKER_METHODS
from schemas.config import Config
from tools.contract import page, typescript
from tools.contract.json_schema import openrpc, schema_of
from tools.contract.shapes import Shapes
from tools.paths import ROOT

JSON_FOLDER = ROOT / "schemas" / "json"
TYPESCRIPT = ROOT / "electron" / "src" / "generated" / "contract.ts"
PAGE = ROOT / "docs" / "protocol.md"


def generated_files() -> dict[Path, str]:
    """Every generated file's path and what it must contain."""
    shapes = Shapes()
    files = {
        JSON_FOLDER / "config-file.json": schema_of(Config),
        JSON_FOLDER / "openrpc.json": openrpc(shapes),
        TYPESCRIPT: typescript.render(shapes),
        PAGE: page.render(shapes),
    }
    for method in (*METHODS, *WORKER_METHODS):
        stem = method.name.replace("/", ".")
        files[JSON_FOLDER / f"{stem}.params.json"] = schema_of(method.params)
        files[JSON_FOLDER / f"{stem}.result.json"] = schema_of(method.result)
    return files


def stale_files() -> list[Path]:
    """Generated files that are missing, differ, or should not be there."""
    wanted = generated_files()
    left_over = [path for path in JSON_FOLDER.glob("*.json") if path not in wanted]
    return left_over + [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]


def write() -> None:
    """Bring every generated file up to date."""
    wanted = generated_files()
    for path in stale_files():
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
        print(f"contract: {path.relative_to(ROOT)}")


def main() -> None:
    """Write, or with --check exit 1 when something is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        write()
        return
    stale = stale_files()
    for path in stale:
        print(f"stale: {path.relative_to(ROOT)} (run python3 dev.py contract)")
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
