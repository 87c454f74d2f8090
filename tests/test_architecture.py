"""Who may import whom, as docs/architecture.md says, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("rpc", "schemas", "survey", "sidecar", "ml_runtime")
SIDECAR_ROOMS = ("audio", "detections", "folders", "scores", "environment", "jobs")
DOMAIN = {"schemas", "survey", "rpc.errors", "rpc.cancel", "rpc.decoders"}
ML_PACKAGES = {"torch", "torchvision", "torchaudio", "opensoundscape", "bioacoustics_model_zoo", "pandas"}

ALLOWED: dict[str, set[str]] = {
    "rpc": {"rpc"},
    "schemas": {"schemas", "rpc"},
    "survey": DOMAIN,
    **{f"sidecar.{room}": {*DOMAIN, f"sidecar.{room}"} for room in SIDECAR_ROOMS},
    "sidecar.environment": {*DOMAIN, "sidecar.environment", "rpc.child"},
    "sidecar.jobs": {*DOMAIN, "sidecar.jobs", "rpc"},
    "ml_runtime": {"ml_runtime", "rpc", "schemas", "survey"},
}
"""What modules below each prefix may import of ours; a module outside all prefixes may import anything."""


def prefix_of(module: str) -> str:
    """The room that a module is in: `sidecar.audio` for sidecar.audio.clips, `rpc` for rpc.peer."""
    return ".".join(module.split(".")[: 2 if module.startswith("sidecar.") else 1])


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imports_of(path: Path, *, only_at_import: bool = False) -> set[str]:
    """Every module that `path` names in an import; with `only_at_import` those that importing it executes."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = _executed(tree.body) if only_at_import else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _executed(body: list[ast.stmt]) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            continue
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes.append(statement)
            nodes += _executed([child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)])
    return nodes


def is_below(module: str, prefixes: set[str]) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def ours(modules: set[str]) -> set[str]:
    """Our modules among `modules`; `from rpc import errors` counts as rpc.errors, not as rpc."""
    found = {module for module in modules if module.split(".")[0] in ROOMS}
    return {m for m in found if not any(other.startswith(f"{m}.") and is_module(other) for other in found)} - set(ROOMS)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def forbidden(module: str, imports: set[str]) -> set[str]:
    """Those of `imports` that the room of `module` may not make."""
    prefixes = [prefix for prefix in ALLOWED if is_below(module, {prefix})]
    if not prefixes:
        return set()
    allowed = ALLOWED[max(prefixes, key=len)] | {prefix_of(module)}
    return {name for name in ours(imports) if not is_below(name, allowed)}


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_a_module_imports_only_what_its_room_may(path):
    assert not forbidden(module_name(path), imports_of(path))


@pytest.mark.parametrize(
    ("module", "imported", "is_forbidden"),
    [
        ("sidecar.audio.clips", "sidecar.scores.session", True),
        ("sidecar.audio.clips", "sidecar.audio.blobs", False),
        ("sidecar.audio.clips", "rpc.call", True),
        ("sidecar.audio.clips", "rpc.errors", False),
        ("sidecar.handlers.audio", "sidecar.scores.session", False),
        ("rpc.peer", "schemas.base", True),
        ("survey.parts", "sidecar.app", True),
        ("ml_runtime.run", "sidecar.settings", True),
        ("ml_runtime.run", "survey.parts", False),
    ],
)
def test_the_rule_itself(module, imported, is_forbidden):
    assert bool(forbidden(module, {imported})) is is_forbidden


@pytest.mark.parametrize("path", [p for p in sources() if "ml_runtime" not in p.parts], ids=module_name)
def test_ml_packages_stay_inside_ml_runtime(path):
    assert not {name.split(".")[0] for name in imports_of(path)} & ML_PACKAGES


@pytest.mark.parametrize("path", [p for p in sources() if p.parts[-1] != "__main__.py"], ids=module_name)
def test_importing_touches_neither_argv_nor_the_environment_nor_logging_handlers(path):
    tree = ast.parse(path.read_text("utf-8"))
    called = {ast.unparse(n) for s in _executed(tree.body) for n in ast.walk(s) if isinstance(s, ast.Expr | ast.Assign)}
    assert not {name for name in called if name in ("sys.argv", "os.environ", "logging.basicConfig")}
