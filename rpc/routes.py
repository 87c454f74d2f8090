"""From a method's name to what answers it.

What lives here: handlers and decoders, each made at the first call of its method. What must not: calling them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from rpc.decoders import decoder_for
from rpc.methods import Handler, Method

Registry = Mapping[str, tuple[Method, Callable[[], Handler]]]
"""Method name -> its description and a function that returns its handler. The function runs at the first call
of that method, on a pool thread: import late in there."""


class Routes(dict[str, tuple[Handler, msgspec.json.Decoder[Any]]]):
    """Method name -> its handler and the decoder of its params. `quick` are the methods that promise to be."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.quick = frozenset(name for name, (method, _) in registry.items() if method.quick)
        self._registry = registry

    def __missing__(self, method: str) -> tuple[Handler, msgspec.json.Decoder[Any]]:
        description, load = self._registry[method]
        route = self[method] = (load(), decoder_for(description.params))
        return route
