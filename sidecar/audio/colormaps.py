"""Colormaps: from a level 0..255 to a colour, as the palette of an indexed PNG.

What lives here: lookup. The tables themselves are data (colormap_tables.py). What must not: decibels, images.
"""

from __future__ import annotations

import functools

from schemas.audio import Colormap
from sidecar.audio.colormap_tables import TABLES


@functools.cache
def palette(name: Colormap) -> bytes:
    """The 256 colours of `name` from quiet to loud, 3 bytes (red, green, blue) each."""
    return bytes.fromhex(TABLES[name])
