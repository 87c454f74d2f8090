"""The client's end: calls a server that speaks JSON-RPC over a pair of pipes. The sidecar's side of a worker.

What lives here: one connection, its reader thread, its pending calls. What must not: starting the process
behind it (child.py), or answering requests (channel.py).
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from rpc import child, messages
from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.decoders import decoder_for
from rpc.errors import ErrorObject, RequestCancelled, RpcError, WorkerCrashed, from_wire
from rpc.framing import Decoder, Frames
from rpc.messages import Reply, Request
from rpc.methods import NoParams
from rpc.outbox import Outbox

if TYPE_CHECKING:
    from rpc.child import Process

T = TypeVar("T")

_READ_BYTES = 256 * 1024
_UNSENT_BYTES = 64 * 2**20
_MAX_MESSAGE_BYTES = 2**30  # our own child is trusted with more than a client is
_REAP_SECONDS = 1.0

log = logging.getLogger(__name__)


class _Tagged(msgspec.Struct, frozen=True):
    token: int | str
    value: msgspec.Raw


class _Pending(msgspec.Struct, eq=False):
    """A call that has not been answered."""

    decoder: msgspec.json.Decoder[Any]
    on_progress: Callable[[Progress], None] | None
    on_rows: Callable[[list[msgspec.Raw]], None] | None
    future: Future[Any] = msgspec.field(default_factory=Future)
    cancelled: bool = False


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
        cancel_grace: float = 5.0,
    ) -> None:
        """Speak to `process`, spawned with stdin and stdout as pipes. `name` stands in error sentences.

        `on_notification(method, params)` gets what is not progress; `on_end` runs once, when the server is
        gone. Both run on the reader thread and must not block. A server that has not answered a cancelled call
        after `cancel_grace` seconds is killed.
        """
        if process.stdin is None or process.stdout is None:
            raise ValueError("The process must have been spawned with pipes.")
        self._process = process
        self._name = name
        self._on_notification = on_notification
        self._on_end = on_end
        self._cancel_grace = cancel_grace
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._ids = itertools.count(1)
        self._closed = False
        self._babbled = False
        self._outbox = Outbox(
            process.stdin.fileno(), on_written=lambda _: None, on_broken=lambda: None, limit=_UNSENT_BYTES
        )
        self._outbox.start()
        threading.Thread(target=self._read, args=(process.stdout.fileno(),), name=f"{name} reader", daemon=True).start()

    @property
    def closed(self) -> bool:
        """Whether the server is gone, or `close` was called."""
        return self._closed

    @property
    def babbled(self) -> bool:
        """Whether it wrote what is no message, and was ended for that."""
        return self._babbled

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
        pending = _Pending(decoder_for(result_type), on_progress, on_rows)
        tokens = {"work_done_token": on_progress, "partial_result_token": on_rows}
        with self._lock:
            identifier = next(self._ids)
            wanted = {name: _token(name, identifier) for name, listener in tokens.items() if listener is not None}
            body = messages.encode_request(identifier, method, _with_tokens(params, wanted))
            if not self._closed:
                self._pending[identifier] = pending
                self._outbox.put([(body, 0)], "header")
        self._outbox.push()
        if identifier not in self._pending and not pending.future.done():
            pending.future.set_exception(self._gone())
        elif token is not None:
            token.on_cancel(lambda: self._cancel(identifier))
        return pending.future

    def notify(self, method: str, params: msgspec.Struct | None = None) -> None:
        """Send a notification. Dropped when the server is gone."""
        body = messages.encode_notification(method, NoParams() if params is None else params)
        self._outbox.put([(body, 0)], "header")
        self._outbox.push()

    def close(self, grace: float = 2.0) -> int:
        """Close the server's stdin, wait `grace` seconds, then kill it and its group. Its exit code.

        -9 is how a worker of ours leaves: it kills its own process group, itself included.
        """
        self._closed = True
        return child.end(self._process, grace)

    # Cancelling

    def _cancel(self, identifier: int) -> None:
        with self._lock:
            pending = self._pending.get(identifier)
            if pending is None or pending.cancelled:
                return
            pending.cancelled = True
        self.notify("$/cancelRequest", _CancelParams(identifier))
        timer = threading.Timer(self._cancel_grace, self._end_deaf_server, (identifier,))
        timer.daemon = True
        pending.future.add_done_callback(lambda _: timer.cancel())
        timer.start()

    def _end_deaf_server(self, identifier: int) -> None:
        if identifier in self._pending:
            log.warning("the %s did not answer a cancelled call in %g s: ending it", self._name, self._cancel_grace)
            child.kill(self._process)

    # The reader thread

    def _read(self, descriptor: int) -> None:
        decoder = Decoder("header", _MAX_MESSAGE_BYTES)
        with contextlib.suppress(OSError):
            while chunk := os.read(descriptor, _READ_BYTES):
                for event in decoder.feed(chunk):
                    for body in event.bodies if isinstance(event, Frames) else ():
                        self._receive(body)
                if decoder.lost:
                    log.error("the %s broke the framing: ending it", self._name)
                    self._babbled = True
                    child.kill(self._process)
                    break
        self._end()

    def _receive(self, body: bytes) -> None:
        message = messages.parse(body, 1)
        if isinstance(message, Reply):
            self._settle(message)
        elif isinstance(message, Request) and message.method == "$/progress":
            self._tell(message)
        elif isinstance(message, Request) and self._on_notification is not None:
            self._guarded(self._on_notification, message.method, message.params)

    def _settle(self, reply: Reply) -> None:
        with self._lock:
            pending = self._pending.pop(reply.id, None) if isinstance(reply.id, int) else None
        if pending is None:
            return
        try:
            if len(memoryview(reply.error)):
                raise from_wire(decoder_for(ErrorObject).decode(reply.error))
            result = pending.decoder.decode(reply.result)
        except RpcError as error:
            _fail(pending.future, error)
        except msgspec.DecodeError as error:
            log.exception("the %s sent a result of another shape", self._name)
            _fail(pending.future, WorkerCrashed(f"The {self._name} sent a reply that makes no sense: {error}."))
        else:
            with contextlib.suppress(InvalidStateError):
                pending.future.set_result(result)

    def _tell(self, message: Request) -> None:
        """Hand a progress value, or rows, to whoever asked for them."""
        try:
            tagged = decoder_for(_Tagged).decode(message.params)
        except msgspec.DecodeError:
            return
        is_rows = isinstance(tagged.token, str)
        identifier = int(tagged.token.removeprefix("rows-")) if isinstance(tagged.token, str) else tagged.token
        pending = self._pending.get(identifier)
        if pending is None:
            return
        if is_rows and pending.on_rows is not None:
            self._guarded(pending.on_rows, msgspec.json.decode(tagged.value, type=list[msgspec.Raw]))
        elif not is_rows and pending.on_progress is not None:
            self._guarded(pending.on_progress, decoder_for(Progress).decode(tagged.value))

    def _guarded(self, listener: Callable[..., None], *arguments: Any) -> None:
        try:
            listener(*arguments)
        except Exception:
            log.exception("a listener to the %s failed", self._name)

    def _end(self) -> None:
        child.reap(self._process, _REAP_SECONDS)
        with self._lock:
            self._closed = True
            orphans, self._pending = self._pending, {}
        for pending in orphans.values():
            _fail(pending.future, RequestCancelled() if pending.cancelled else self._gone())
        if self._on_end is not None:
            self._guarded(self._on_end)

    def _gone(self) -> WorkerCrashed:
        if self._babbled:
            return WorkerCrashed(f"The {self._name} wrote something other than messages to its output, and was ended.")
        return WorkerCrashed(f"The {self._name} ended unexpectedly ({child.describe_exit(self._process)}).")


class _CancelParams(msgspec.Struct, frozen=True):
    id: int


def _token(name: str, identifier: int) -> int | str:
    return identifier if name == "work_done_token" else f"rows-{identifier}"


def _with_tokens(params: msgspec.Struct | None, wanted: dict[str, int | str]) -> msgspec.Struct:
    return msgspec.structs.replace(NoParams() if params is None else params, **wanted)


def _fail(future: Future[Any], error: RpcError) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)
