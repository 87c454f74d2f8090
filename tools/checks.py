"""`dev.py check`: formatter, linter, types, architecture, generated files. Quick, and says which one failed."""

from __future__ import annotations

from pathlib import Path

from tools.node import ensure_packages
from tools.paths import ROOT
from tools.processes import call

ELECTRON = ROOT / "electron"
TYPESCRIPT_COMPILER = Path("node_modules", "typescript", "bin", "tsc")

TYPED = ("rpc", "schemas", "survey", "sidecar", "ml_runtime", "tools", "dev.py")


def run_checks(python: Path) -> bool:
    """Run every check with the interpreter of `.venv`; whether all passed."""
    checks: dict[str, list[str]] = {
        "format": ["-m", "ruff", "format", "--check", "--quiet", "."],
        "lint": ["-m", "ruff", "check", "--quiet", "."],
        "types": ["-m", "mypy", *TYPED],
        "architecture": ["-m", "pytest", "-q", "tests/test_architecture.py"],
        "contract": ["-m", "tools.generate_contract", "--check"],
    }
    failed = [name for name, arguments in checks.items() if not _passes(name, [python, *arguments])]
    node = ensure_packages(ELECTRON)
    if not _passes("typescript", [node.program, ELECTRON / TYPESCRIPT_COMPILER, "--noEmit", "--project", ELECTRON]):
        failed.append("typescript")
    print(f"dev: {len(checks) + 1 - len(failed)} checks passed" + (f", failed: {', '.join(failed)}" if failed else ""))
    return not failed


def _passes(name: str, command: list[str | Path]) -> bool:
    print(f"dev: check {name}", flush=True)
    return call(command, cwd=ROOT) == 0
