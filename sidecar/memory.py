"""How much memory this process holds."""

from __future__ import annotations

import sys
from pathlib import Path


def resident_bytes() -> int:
    """The resident set of this process in bytes."""
    if sys.platform == "linux":
        # NOTE: read directly because psutil takes longer to import than a first reply may take.
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * _page_size()
    else:  # noqa: RET505 - the branch that mypy leaves out on Linux
        import psutil

        return int(psutil.Process().memory_info().rss)


def _page_size() -> int:
    import resource

    return resource.getpagesize()
