"""Keeps the C library from giving memory back between large messages.

What lives here: two settings of glibc's malloc. What must not: anything that changes what a program does.

By default glibc returns what is free at the top of a thread's heap after each message of a megabyte and takes it
again for the next one. The page faults of that cost more than reading the message.
"""

from __future__ import annotations

import contextlib
import functools
import sys

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3
_KEPT_BYTES = 16 << 20
_MAPPED_BYTES = 8 << 20
"""Blocks this large are still mapped apart, so that they leave whole."""


@functools.cache
def keep_freed_memory() -> None:
    """Keep up to 16 MB for the next message. Linux with glibc only; elsewhere, and when called again, nothing."""
    if sys.platform != "linux":
        return
    import ctypes  # 5 ms that only who gets large messages pays

    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
