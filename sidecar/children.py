"""What runs in a process of its own: long work that cannot be interrupted, or may crash.

What lives here: the list of child tasks and how to start one. What must not: the work itself.

A child task is a small JSON-RPC server over pipes (`sidecar --child TASK`; the frozen executable starts
itself). Talk to it through rpc.connection.Connection: progress, cancellation and errors come with it.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from rpc import child
from rpc.channel import Registry
from rpc.connection import Connection

TASKS: dict[str, str] = {}
"""Task -> "module:function"; the function returns the Registry that the child serves."""


def routes(task: str) -> Registry | None:
    """What the child `task` serves; None where there is no such task."""
    target = TASKS.get(task)
    if target is None:
        return None
    module, _, function = target.partition(":")
    registry: Registry = getattr(importlib.import_module(module), function)()
    return registry


def start(task: str) -> Connection:
    """A child that serves `task`. Close the connection when done; it ends by itself when we die."""
    if getattr(sys, "frozen", False):
        argv = [sys.executable, "--child", task]
    else:
        root = Path(__file__).resolve().parent.parent
        code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from sidecar.__main__ import run; run()"
        argv = [sys.executable, "-c", code, str(root), "--child", task]
    return Connection(child.spawn(argv, own_session=True), name=f"{task} process")
