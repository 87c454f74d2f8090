"""The worker: `<python of the ML environment> -I <here>/ml_runtime/__main__.py`, JSON-RPC on stdin and stdout.

What lives here: making our packages importable, logging, serve. What must not: methods (worker.py).
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Serve until the client leaves; then end the whole process group, whatever libraries have started."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from ml_runtime.worker import Worker, registry
    from rpc import channel, logs
    from schemas.version import VERSION

    logs.configure("info")
    options = channel.Options(channel.ServerInfo(name="ml_runtime", version=VERSION), kill_group_at_end=True)
    return channel.serve(registry(Worker()), options)


if __name__ == "__main__":
    import os

    code = main()
    # Not sys.exit: threads of native libraries may never end.
    os._exit(code)
