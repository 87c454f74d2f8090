"""Importing what the first clip needs while the user still looks at what leads to it.

What lives here: one thread, once. What must not: anything that rendering relies on.

The libraries of sound take half a second to import and 50 MB of memory. Neither a start nor a sidecar that never shows
a clip should pay for them; but whoever has listed a folder or opened a table asks for clips next.
"""

from __future__ import annotations

import contextlib
import importlib
import threading

_NEEDED = ("sidecar.audio.batch", "scipy.fft", "pybase64")
_once = threading.Lock()


def prepare_in_background() -> None:
    """Begin to import, unless that has begun before. Returns at once and never raises."""
    if _once.acquire(blocking=False):
        threading.Thread(target=_import, name="warm", daemon=True).start()


def _import() -> None:
    # What is missing or broken is told to whoever asks for a clip.
    with contextlib.suppress(Exception):
        for name in _NEEDED:
            importlib.import_module(name)
