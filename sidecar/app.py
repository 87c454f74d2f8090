"""The composition root: makes the rooms' objects when they are first needed, and wires methods to handlers.

What lives here: construction. What must not: any work of a request (handlers), any knowledge of pipes (rpc).
"""

from __future__ import annotations

import importlib
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rpc.methods import Handler, Method
from schemas.catalogue import METHODS
from sidecar.settings import Settings

if TYPE_CHECKING:
    import msgspec

    from rpc.call import Call
    from rpc.channel import Registry
    from rpc.lifecycle import InitializeParams
    from sidecar.audio.batch import ClipRenderer
    from sidecar.audio.blobs import BlobStore
    from sidecar.audio.cache import ClipCache
    from sidecar.jobs.manager import JobManager
    from sidecar.scores.session import ScoreSession

Made = TypeVar("Made")
Closing = Callable[[], None]


class Services:
    """What handlers share; also the rpc.channel.Application of this process.

    Every room is imported and made on first use: a sidecar must start at once.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.started = time.monotonic()
        self._made: dict[str, Any] = {}
        self._closings: list[Closing] = []
        self._making = threading.RLock()
        self._notify: Callable[[str, msgspec.Struct], None] = _drop

    @property
    def blobs(self) -> BlobStore:
        """Where pictures and sound go that are delivered as files."""

        def make() -> tuple[BlobStore, Closing]:
            from sidecar.audio.blobs import BlobStore

            store = BlobStore()
            return store, store.close

        return self._once("blobs", make)

    @property
    def clip_cache(self) -> ClipCache:
        """Rendered clips on the disk."""

        def make() -> tuple[ClipCache, Closing]:
            from sidecar.audio.cache import ClipCache

            return ClipCache(self.settings.cache_folder / "clips"), _nothing

        return self._once("clip_cache", make)

    @property
    def clips(self) -> ClipRenderer:
        """The way to clips."""

        def make() -> tuple[ClipRenderer, Closing]:
            from sidecar.audio.batch import ClipRenderer

            return ClipRenderer(self.blobs, self.clip_cache), _nothing

        return self._once("clips", make)

    @property
    def scores(self) -> ScoreSession:
        """The open score tables."""

        def make() -> tuple[ScoreSession, Closing]:
            from sidecar.scores.session import ScoreSession

            session = ScoreSession(self.settings.cache_folder)
            return session, session.close_all

        return self._once("scores", make)

    @property
    def jobs(self) -> JobManager:
        """The jobs of this process, and the worker that runs them."""

        def make() -> tuple[JobManager, Closing]:
            from sidecar.jobs.manager import JobManager

            settings = self.settings
            manager = JobManager(
                settings.state_folder,
                self.notify,
                max_running=settings.max_running_jobs,
                cache_folder=settings.cache_folder,
            )
            return manager, manager.close

        return self._once("jobs", make)

    def made(self, name: str) -> Any | None:
        """A service, if something has needed it already."""
        return self._made.get(name)

    def connected(self, notify: Callable[[str, msgspec.Struct], None]) -> None:
        """Keep the way to send notifications."""
        self._notify = notify

    def initialized(self, params: InitializeParams) -> None:
        """Take over what the client said about itself."""
        if params.blob_folder is not None:
            self.blobs.use_folder(Path(params.blob_folder).absolute())

    def closed(self) -> None:
        """End what still runs: jobs stay resumable, the worker and temporary files go."""
        with self._making:
            closings, self._closings = self._closings, []
        for close in reversed(closings):
            close()

    def notify(self, method: str, params: msgspec.Struct) -> None:
        """Send a notification of our own; dropped before a client has shaken hands."""
        self._notify(method, params)

    def _once(self, name: str, make: Callable[[], tuple[Made, Closing]]) -> Made:
        with self._making:
            if name not in self._made:
                self._made[name], closing = make()
                self._closings.append(closing)
            service: Made = self._made[name]
            return service


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
    name = _snake_case(verb)
    # Of a word that Python keeps for itself the function has a line behind it: `import_`.
    function: Callable[[Any, Call, Services], Any] = getattr(module, f"{name}_" if iskeyword(name) else name)

    def handle(params: Any, call: Call) -> Any:
        return function(params, call, services)

    return handle


def _snake_case(verb: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", verb).lower()


def _drop(_method: str, _params: msgspec.Struct) -> None:
    """Before a client is connected there is nobody to tell."""


def _nothing() -> None:
    """What has nothing to close."""
