"""`dev.py check`: formatter, linter, types, architecture, generated files. Quick, and says which one failed."""

from __future__ import annotations

from pathlib import Path

from tools.node import ensure_packages
from tools.paths import ELECTRON, ROOT
from tools.processes import call

RENDERER = ELECTRON / "src" / "renderer"
TYPESCRIPT_COMPILER = Path("node_modules", "typescript", "bin", "tsc")
ESLINT = Path("node_modules", "eslint", "bin", "eslint.js")

WORKFLOWS = ROOT / ".github" / "workflows"

TYPED = ("rpc", "schemas", "survey", "sidecar", "ml_runtime", "tools", "dev.py")


def run_checks(python: Path) -> bool:
    """Run every check with the interpreter of `.venv`; whether all passed."""
    node = ensure_packages(ELECTRON)
    checks: dict[str, list[str | Path]] = {
        "format": [python, "-m", "ruff", "format", "--check", "--quiet", "."],
        "lint": [python, "-m", "ruff", "check", "--quiet", "."],
        "types": [python, "-m", "mypy", *TYPED],
        "architecture": [python, "-m", "pytest", "-q", "tests/test_architecture.py"],
        "contract": [python, "-m", "tools.generate_contract", "--check"],
        "typescript": [node.program, ELECTRON / TYPESCRIPT_COMPILER, "--noEmit", "--project", ELECTRON],
        "typescript, renderer": [node.program, ELECTRON / TYPESCRIPT_COMPILER, "--noEmit", "--project", RENDERER],
        "eslint": [node.program, ELECTRON / ESLINT, "--config", ELECTRON / "eslint.config.js", ELECTRON / "src"],
        **workflow_checks(python, WORKFLOWS),
    }
    failed = [name for name, command in checks.items() if not _passes(name, command)]
    print(f"dev: {len(checks) - len(failed)} checks passed" + (f", failed: {', '.join(failed)}" if failed else ""))
    return not failed


def workflow_checks(python: Path, folder: Path) -> dict[str, list[str | Path]]:
    """Of GitHub's workflows: their form, by the schema that check-jsonschema carries; and what makes them unsafe."""
    schema = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    files = sorted(folder.glob("*.yml"))
    zizmor = python.with_name("zizmor.exe" if python.suffix else "zizmor")
    return {
        "workflows": [python, *schema, *files],
        "workflow safety": [zizmor, "--offline", "--quiet", "--no-progress", "--persona", "pedantic", *files],
    }


def _passes(name: str, command: list[str | Path]) -> bool:
    print(f"dev: check {name}", flush=True)
    return call(command, cwd=ROOT) == 0
