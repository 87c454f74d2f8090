"""Which packages a class of the model zoo needs and lacks, read from its source without running it.

What lives here: the imports of a class, with `try: ... except ImportError` understood as alternatives. What must
not: knowledge of single models.

The zoo replaces a class whose packages are missing by a stub that raises when constructed; its source says
what to install. Classes that are there may still import packages inside their methods.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_ZOO = "bioacoustics_model_zoo"
_STUB = re.compile(r"^Missing\w*Dependency$")
_INSTALL = re.compile(r"pip install ([\w+:/.\- ]+)")
_PACKAGE_OF_MODULE = {
    "ai_edge_litert": "ai-edge-litert",
    "sound_event_detection": "sound-event-detection",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "PyYAML",
    "PIL": "pillow",
}


def missing_packages(model_class: type[Any]) -> tuple[str, ...]:
    """The packages to install before `model_class` can be constructed, by the names that pip knows."""
    for base in model_class.__mro__:
        if _STUB.match(base.__name__):
            return _named_by_stub(base)
    lacking: list[str] = []
    for base in model_class.__mro__:
        if base.__module__.startswith(f"{_ZOO}."):
            lacking += _lacking_of(base)
    return tuple(dict.fromkeys(_PACKAGE_OF_MODULE.get(name, name) for name in lacking))


def install_command(model_class: type[Any], missing: Sequence[str]) -> str:
    """The command that adds `missing` packages to this environment."""
    stubs = [base for base in model_class.__mro__ if _STUB.match(base.__name__)]
    # A package that no index has is named by its address.
    addresses = {_package_of(word): word for stub in stubs for word in _words_to_install(stub)}
    command = [sys.executable, "-m", "pip", "install", *(addresses.get(name, name) for name in missing)]
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def _words_to_install(stub: type[Any]) -> list[str]:
    """What the stub says to install."""
    try:
        source = inspect.getsource(stub)
    except OSError:
        source = stub.__doc__ or ""
    return [word for found in _INSTALL.findall(source) for word in found.split()]


def _named_by_stub(stub: type[Any]) -> tuple[str, ...]:
    """What the stub says to install, less what is there."""
    named = [_package_of(word) for word in _words_to_install(stub)]
    lacking = tuple(dict.fromkeys(name for name in named if not _is_there(name.replace("-", "_"))))
    return lacking or (re.sub(r"^Missing(\w*)Dependency$", r"\1", stub.__name__),)


def _package_of(requirement: str) -> str:
    """`git+https://host/owner/name.git` -> `name`."""
    return requirement.rpartition("/")[2].removesuffix(".git")


def _lacking_of(model_class: type[Any]) -> Iterator[str]:
    for name, function in vars(model_class).items():
        if inspect.isfunction(function) and name in ("__init__", "batch_forward", "__call__"):
            yield from _lacking_in(_body_of(function))


def _body_of(function: Any) -> Sequence[ast.stmt]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return ()
    definition = tree.body[0]
    return definition.body if isinstance(definition, ast.FunctionDef) else ()


def _lacking_in(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """The modules that running `statements` would fail to import."""
    for statement in statements:
        if isinstance(statement, ast.Try):
            yield from _lacking_in_try(statement)
        elif isinstance(statement, ast.Import):
            yield from (name for alias in statement.names if not _is_there(name := _top(alias.name)))
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield from () if _is_there(_top(statement.module)) else (_top(statement.module),)
        elif isinstance(statement, ast.With):
            yield from _lacking_in(statement.body)


def _lacking_in_try(statement: ast.Try) -> Iterator[str]:
    """Nothing when the handler makes up for what the body lacks; else what the body lacks."""
    lacking = list(_lacking_in(statement.body))
    handlers = [handler for handler in statement.handlers if _handles_imports(handler)]
    if lacking and handlers and not any(list(_failing(handler)) for handler in handlers):
        return
    yield from lacking


def _failing(handler: ast.ExceptHandler) -> Iterator[str]:
    yield from _lacking_in(handler.body)
    if any(isinstance(statement, ast.Raise) for statement in handler.body):
        yield "raise"


def _handles_imports(handler: ast.ExceptHandler) -> bool:
    caught = "" if handler.type is None else ast.unparse(handler.type)
    return handler.type is None or any(name in caught for name in ("ImportError", "ModuleNotFoundError", "Exception"))


def _top(module: str) -> str:
    return module.partition(".")[0]


def _is_there(module: str) -> bool:
    if module in sys.stdlib_module_names or module in sys.modules:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
