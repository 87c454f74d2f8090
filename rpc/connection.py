"""The client's end: calls a server that speaks JSON-RPC over a pair of pipes. The sidecar's side of a worker.

What lives here: one connection, its reader thread, its pending calls. What must not: starting or ending the
process behind it (child.py), or answering requests (channel.py).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec

from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.child import Process

T = TypeVar("T")


class Connection:
    """Calls to one server. Thread-safe. Header framing.

    A server that goes away fails every pending call, and every later one, with WorkerCrashed.
    """

    def __init__(
        self,
        process: Process,
        *,
        name: str = "worker",
        on_notification: Callable[[str, msgspec.Raw], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Speak to `process`, spawned with stdin and stdout as pipes. `name` stands in error sentences.

        `on_notification(method, params)` gets what is not progress; `on_end` runs once, when the server is
        gone. Both run on the reader thread and must not block.
        """
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether the server is gone, or `close` was called."""
        raise NotImplementedError

    def call(
        self,
        method: str,
        params: msgspec.Struct | None,
        result_type: type[T] | Any,
        *,
        token: CancelToken | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_rows: Callable[[list[msgspec.Raw]], None] | None = None,
    ) -> Future[T]:
        """Send a request; the Future holds the decoded result, or the RpcError leaf that the server sent.

        When `token` goes up the server is asked to cancel; the Future then fails with RequestCancelled, with
        the jobId, jobFolder and state that the server gave. `on_progress` gets each value of its progress
        (begin, report, end), `on_rows` its partial results; both run on the reader thread, must not block, and
        have all been called before the Future is done.
        """
        raise NotImplementedError

    def notify(self, method: str, params: msgspec.Struct | None = None) -> None:
        """Send a notification. Dropped when the server is gone."""
        raise NotImplementedError

    def close(self, grace: float = 2.0) -> int:
        """Close the server's stdin, wait `grace` seconds, then kill it and its group. Its exit code."""
        raise NotImplementedError
