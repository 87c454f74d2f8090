"""The composition root: makes the rooms' objects when they are first needed, and wires methods to handlers.

What lives here: construction. What must not: any work of a request (handlers), any knowledge of pipes (rpc).
"""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from rpc.methods import Handler, Method
from schemas.catalogue import METHODS
from sidecar.settings import Settings

if TYPE_CHECKING:
    import msgspec

    from rpc.call import Call
    from rpc.channel import Registry
    from sidecar.audio.blobs import BlobStore


class Services:
    """What handlers share; also the rpc.channel.Application of this process.

    Every room is imported and made on first use: a sidecar must start at once.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started = time.monotonic()
        self._notify: Callable[[str, msgspec.Struct], None] = _drop

    def connected(self, notify: Callable[[str, msgspec.Struct], None]) -> None:
        """Keep the way to send notifications."""
        self._notify = notify

    def initialized(self, params: Any) -> None:
        """Take over what the client said about itself."""

    def closed(self) -> None:
        """End what may still run: the worker and the jobs, which stay resumable."""

    @cached_property
    def blobs(self) -> BlobStore:
        """Where pictures and sounds are delivered."""
        from sidecar.audio.blobs import BlobStore

        return BlobStore()

    def notify(self, method: str, params: msgspec.Struct) -> None:
        """Send a notification of our own."""
        self._notify(method, params)


def build(settings: Settings) -> Services:
    """The services of one process."""
    return Services(settings)


def registry(services: Services) -> Registry:
    """Every method with the function that finds its handler."""
    routes: Registry = {method.name: (method, partial(handler_of, method, services)) for method in METHODS}
    if not services.settings.test_methods:
        return routes
    from sidecar.handlers import testing

    return {**routes, **testing.registry()}


def handler_of(method: Method, services: Services) -> Handler:
    """The handler of `method`, imported now: `audio/clip` is `clip` in sidecar/handlers/audio.py."""
    namespace, _, verb = method.name.replace("rpc.", "").rpartition("/")
    module = importlib.import_module(f"sidecar.handlers.{namespace or verb}")
    function: Callable[[Any, Call, Services], Any] = getattr(module, _snake_case(verb))

    def handle(params: Any, call: Call) -> Any:
        return function(params, call, services)

    return handle


def _snake_case(verb: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", verb).lower()


def _drop(_method: str, _params: msgspec.Struct) -> None:
    """Before a client is connected there is nobody to tell."""
