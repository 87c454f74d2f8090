"""A server over pipes: reader thread, bounded pool, writer thread. The only place with threads and pipes.

What lives here: moving bytes and running handlers. What must not: a decision that can be made without I/O
(peer.py), or any method of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

from rpc.methods import Handler, Method

Registry = Mapping[str, tuple[Method, Callable[[], Handler]]]
"""Method name -> its description and a function that returns its handler. The function runs at the first call
of that method, on a pool thread: import late in there."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """How the server introduces itself in `initialize`."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask for at once; sent with `initialize`."""

    max_in_flight: int = 1024
    max_message_bytes: int = 64 * 2**20
    max_unsent_bytes: int = 64 * 2**20
    max_batch: int = 1000
    pool_threads: int = 8


class Application(Protocol):
    """What the channel tells the program it serves. All three run on channel threads; none may block."""

    def connected(self, notify: Callable[[str, msgspec.Struct], None]) -> None:
        """Before the first request. `notify(method, params)` sends a notification, dropped before initialize."""

    def initialized(self, params: Any) -> None:
        """The client shook hands (params: rpc.lifecycle.InitializeParams, with process_id and blob_folder)."""

    def closed(self) -> None:
        """No request runs any more, or the grace is over: end the children, close the files. Within a second."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve."""

    server: ServerInfo
    framing: Literal["auto", "line", "header"] = "auto"
    limits: Limits = field(default_factory=Limits)
    kill_group_at_end: bool = False
    """For a worker that leads its own session: kill the whole group when stdin ends."""


def serve(registry: Registry, options: Options, application: Application | None = None) -> int:
    """Take stdin and stdout, answer until the client leaves, return the exit code (see PROTOCOL, Lifecycle).

    Call it on the main thread. fd 1 points at stderr from then on, for this process and its children.
    """
    raise NotImplementedError
