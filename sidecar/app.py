"""The composition root: makes the rooms' objects when they are first needed, and wires methods to handlers.

What lives here: construction. What must not: any work of a request (handlers), any knowledge of pipes (rpc).
"""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rpc.methods import Handler, Method
from sidecar.settings import Settings

if TYPE_CHECKING:
    from rpc.call import Call


class Services:
    """What handlers share. Every room is imported and made on first use: a sidecar must start at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started = time.monotonic()


def handler_of(method: Method, services: Services) -> Handler:
    """The handler of `method`, imported now: `audio/clip` is `clip` in sidecar/handlers/audio.py."""
    namespace, _, verb = method.name.rpartition("/")
    module = importlib.import_module(f"sidecar.handlers.{namespace or verb}")
    function: Callable[[Any, Call, Services], Any] = getattr(module, _snake_case(verb))

    def handle(params: Any, call: Call) -> Any:
        return function(params, call, services)

    return handle


def _snake_case(verb: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", verb).lower()
