"""The states of a conversation and what `initialize` says.

What lives here: a transition table and the structs of the handshake. What must not: what follows from a state
(peer.py).
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

import msgspec

from rpc.errors import InvalidRequest
from rpc.methods import Params

PROTOCOL_VERSION = "1.0"
TraceValue = Literal["off", "messages", "verbose"]


class State(Enum):
    """Where a conversation stands. The handshake is optional: every method works in FRESH too."""

    FRESH = "fresh"
    INITIALIZED = "initialized"
    SHUT_DOWN = "shut down"


_NEXT: dict[tuple[State, str], State] = {
    (State.FRESH, "initialize"): State.INITIALIZED,
    (State.FRESH, "shutdown"): State.SHUT_DOWN,
    (State.INITIALIZED, "shutdown"): State.SHUT_DOWN,
}


def next_state(state: State, method: str) -> State:
    """The state after `method` ("initialize" or "shutdown").

    Raises
    ------
    InvalidRequest
        When `method` is not welcome in `state`.
    """
    following = _NEXT.get((state, method))
    if following is None:
        raise InvalidRequest(f'"{method}" is not welcome here: the server is {state.value}.')
    return following


class ClientInfo(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """Who connects."""

    name: str
    version: str | None = None


class InitializeParams(Params, frozen=True):
    """initialize: the optional handshake. After it, the end of stdin means that the client is gone.

    `process_id` is watched: when that process ends, so does the server. `blob_folder` is where results asked
    for with delivery "file" are written. `trace` turns `$/logTrace` on.
    """

    protocol_version: str | int | float | None = None
    process_id: int | None = None
    client_info: ClientInfo | None = None
    capabilities: dict[str, msgspec.Raw] | None = None
    blob_folder: str | None = None
    trace: TraceValue = "off"


class SetTraceParams(Params, frozen=True):
    """$/setTrace: how much of the conversation is told in `$/logTrace`."""

    value: TraceValue


class LogTrace(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """$/logTrace: one step of the conversation. `verbose` holds params or result, secrets and sound left out."""

    message: str
    verbose: str | None = None


class CancelParams(msgspec.Struct, frozen=True):
    """$/cancelRequest: the id of the request that nobody waits for any more."""

    id: int | float | str | None


class ServerInfo(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """Who answers."""

    name: str
    version: str


class Limits(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """What one client may ask for at once.

    `max_in_flight` requests are under way until their replies are written; one more is refused as busy.
    Messages are at most `max_message_bytes` long. Above `max_unsent_bytes` of unread replies the server stops
    reading. `pool_threads` requests run at a time.
    """

    max_in_flight: int = 1024
    max_message_bytes: int = 64 * 2**20
    max_unsent_bytes: int = 64 * 2**20
    max_batch: int = 1000
    pool_threads: int = 8


class Capabilities(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """What the server can do: `methods` lists every method it answers."""

    methods: tuple[str, ...]
    progress: bool = True
    cancellation: bool = True
    partial_results: bool = True
    blob_delivery: tuple[str, ...] = ("inline", "file")


class InitializeResult(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """What `initialize` answers."""

    protocol_version: str
    server_info: ServerInfo
    capabilities: Capabilities
    limits: Limits
