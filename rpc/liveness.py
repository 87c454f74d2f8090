"""Whether another process, and whoever reads our output, is still there.

What lives here: two questions asked once a second. What must not: what follows from the answers.
"""

from __future__ import annotations

import os
import select
import sys


class ProcessWatch:
    """Whether one process still lives. A zombie does not; nor does another process that got its number."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._started = _start_time(pid)

    def alive(self) -> bool:
        """Ask now. Costs some microseconds."""
        if self._pid <= 0:
            return False
        if sys.platform == "win32":
            from rpc.windows import process_lives

            return process_lives(self._pid)
        if sys.platform == "linux" and os.access("/proc/self/stat", os.R_OK):
            return self._started is not None and _start_time(self._pid) == self._started
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True


def reader_gone(descriptor: int) -> bool:
    """Whether nobody holds the other end of our output pipe any more (POSIX; False where it cannot be told)."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


def _start_time(pid: int) -> str | None:
    """The start time in /proc, in clock ticks since boot; None for a process that has ended."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:  # noqa: PTH123 - pathlib costs a late start
            stat = file.read()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]
