"""Decoders of JSON into structs, safe to make on several threads.

What lives here: making each decoder once, under a lock. What must not: any struct.

msgspec learns what a struct is made of when it is first decoded, and keeps that in the class before it is complete
(a struct may hold itself). A second thread that decodes the same struct, or one that holds it, at that moment
crashes the process: 5 of 25 attempts with eight threads. Hence the rule: a program with threads decodes and converts
only to types that `decoder_for` has seen.
"""

from __future__ import annotations

import threading
from typing import Any

import msgspec

_making = threading.Lock()
_made: dict[Any, msgspec.json.Decoder[Any]] = {}


def decoder_for(kind: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of JSON into `kind`; afterwards msgspec.convert may be used with it too."""
    known = _made.get(kind)
    if known is None:
        with _making:
            known = _made.setdefault(kind, msgspec.json.Decoder(kind))
    return known
