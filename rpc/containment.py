"""What a server does for its children's sake, once, about itself.

What lives here: binding children to this process, ending its process group. What must not: starting children
(child.py).
"""

from __future__ import annotations

import os
import signal
import sys


def contain() -> None:
    """Bind all future children to this process's life, where that takes a call of its own (Windows)."""
    if sys.platform == "win32":
        from rpc.windows import contain_in_job

        contain_in_job()


def end_own_group() -> None:
    """Kill every process of the group that this process leads, itself included. Returns if it leads none."""
    if sys.platform != "win32" and os.getpgid(0) == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
