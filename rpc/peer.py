"""One end of a conversation, as a state machine: what to run, what to send, what to cancel. No I/O.

What lives here: requests from their arrival to their reply, cancellation, progress, the lifecycle, the limits.
What must not: threads, pipes, clocks (`now` is an argument), running a handler. Not thread-safe but for `start`:
the channel holds a lock around every other call.

The laws:

1. Exactly one reply for each request, none for a notification; first come, first sent.
2. A reply is the last thing said about a request: its progress and rows come before it.
3. A request holds its slot until its reply is written; what finds no slot is refused as busy.
4. Whoever has been cancelled before it was answered is answered -32800, whatever its handler made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from rpc import lifecycle, messages
from rpc.call import Progress, RequestId
from rpc.cancel import CancelToken
from rpc.decoders import decoder_for
from rpc.errors import Busy, InvalidRequest, MethodNotFound, RequestCancelled, RpcError
from rpc.lifecycle import InitializeParams, Limits, ServerInfo, State, TraceValue
from rpc.messages import Batch, Malformed, Message, Request
from rpc.methods import NoParams
from rpc.progress import ProgressStream
from rpc.redact import redact_json

GRACE_SECONDS = 2.0
_EMPTY = msgspec.Raw()
_SHUT_DOWN = State.SHUT_DOWN  # asked for with each request, and 0.2 µs as a member of its enum

Arrival = tuple[Message | Batch, int]
"""A parsed frame and its size in bytes."""


class Incoming(msgspec.Struct, eq=False):
    """One request or notification under way. `size` is what its params hold of our memory, in bytes."""

    id: RequestId
    method: str
    params: msgspec.Raw
    size: int
    arrived: float
    replies: bool = True
    batch: Any = None
    cancelled: bool = False
    token: CancelToken = msgspec.field(default_factory=CancelToken)
    progress_token: int | str | None = None
    rows_token: int | str | None = None
    stream: ProgressStream | None = None

    @property
    def due(self) -> float | None:
        """When progress that waits may go out."""
        return None if self.stream is None else self.stream.due


class Effects(msgspec.Struct):
    """What the channel has to do: run these, put these tokens up (outside its lock), and perhaps leave.

    `others`: whether there is more to do than to run.
    """

    run: list[Incoming] = msgspec.field(default_factory=list)
    cancel: list[CancelToken] = msgspec.field(default_factory=list)
    initialized: InitializeParams | None = None
    exit_code: int | None = None
    others: bool = False


class _BatchReply(msgspec.Struct, eq=False):
    """The replies of a batch as they come. `open` counts those that are owed."""

    open: int = 0
    slots: int = 0
    replies: list[bytes] = msgspec.field(default_factory=list)


class Peer:
    """The server's end. `outgoing` fills; the channel empties it and calls `written` when bytes have left."""

    def __init__(self, methods: Collection[str], server: ServerInfo, limits: Limits) -> None:
        self.state = State.FRESH
        self.outgoing: list[tuple[bytes, int]] = []
        """Messages to write, each with the number of requests that are over once it is written."""
        self.hold_progress = False
        """Set by the channel while output is stuck: progress waits and is merged, instead of piling up."""
        self.dropped_notifications = 0
        self.trace: TraceValue = "off"
        self._methods = methods
        self._server = server
        self._limits = limits
        self._under_way: set[Incoming] = set()
        self._queued: set[Incoming] = set()  # of those, what nobody has started: who takes one out has it
        self._slots = 0
        self._bytes = 0
        self._shutdowns: list[Incoming] = []
        self._deadline: float | None = None
        self._reporting: set[Incoming] = set()
        self._own: dict[str, Callable[[Request, Incoming, Effects], None]] = {
            "initialize": self._initialize,
            "shutdown": self._shutdown,
            "exit": self._exit,
            "$/cancelRequest": self._cancel_request,
            "$/setTrace": self._set_trace,
        }

    # What comes in

    def receive(self, arrived: Iterable[Arrival], now: float) -> Effects:
        """Take parsed frames, each with its size in bytes, in the order in which they came."""
        effects = Effects()
        for message, size in arrived:
            if isinstance(message, Request):
                self._receive_request(message, size, None, now, effects)
            elif isinstance(message, Batch):
                self._receive_batch(message, size, now, effects)
            else:
                self._receive_one(message, size, None, now, effects)
        return effects

    def refuse(self, error: RpcError) -> None:
        """Answer a frame that could not even be kept (too long, or the framing is lost)."""
        self._send(messages.encode_error(None, error.to_wire()))

    def _receive_batch(self, batch: Batch, size: int, now: float, effects: Effects) -> None:
        reply = _BatchReply(open=1)  # held open until every message has been looked at
        for message in batch.messages:
            self._receive_one(message, size // len(batch.messages), reply, now, effects)
        self._close_one(reply)

    def _receive_one(
        self, message: Message, size: int, batch: _BatchReply | None, now: float, effects: Effects
    ) -> None:
        if isinstance(message, Malformed):
            if batch is not None:
                batch.open += 1
            self._deliver(messages.encode_error(message.id, message.error.to_wire()), batch, 0)
        elif isinstance(message, Request):
            self._receive_request(message, size, batch, now, effects)

    def _receive_request(
        self, request: Request, size: int, batch: _BatchReply | None, now: float, effects: Effects
    ) -> None:
        identifier, replies = (None, False) if request.id is UNSET else (request.id, True)
        incoming = Incoming(identifier, request.method, request.params, size, now, replies, batch)
        if self.trace != "off":
            kind = f"request '{request.method} - ({incoming.id})'" if replies else f"notification '{request.method}'"
            self._trace(f"Received {kind}.", request.params)
        if batch is not None and replies:
            batch.open += 1
        own = self._own.get(request.method)
        try:
            if self.state is _SHUT_DOWN and request.method != "exit":
                raise InvalidRequest("The server has been shut down.")
            if own is not None:
                effects.others = True
                own(request, incoming, effects)
            else:
                self._accept(incoming)
                effects.run.append(incoming)
        except RpcError as error:
            self._refuse_request(incoming, error)

    def _accept(self, incoming: Incoming) -> None:
        """Give a request its slot, before anybody looks at its params."""
        if incoming.method not in self._methods:
            raise MethodNotFound(f'There is no method "{incoming.method[:100]}".')
        if self._slots >= self._limits.max_in_flight:
            raise Busy(f"More than {self._limits.max_in_flight} requests are under way.")
        if self._bytes >= self._limits.max_unsent_bytes:
            raise Busy("The requests under way hold too much memory.")
        self._slots += 1
        self._bytes += incoming.size
        self._under_way.add(incoming)
        self._queued.add(incoming)

    def _refuse_request(self, incoming: Incoming, error: RpcError) -> None:
        if incoming.replies:
            self._deliver(messages.encode_error(incoming.id, error.to_wire()), incoming.batch, 0)
        elif isinstance(error, Busy):
            self.dropped_notifications += 1

    # The methods of the protocol itself

    def _initialize(self, request: Request, incoming: Incoming, effects: Effects) -> None:
        following = lifecycle.next_state(self.state, "initialize")
        params: InitializeParams = _decode(InitializeParams, request)
        self.state = following
        self.trace = params.trace
        effects.initialized = params
        result = lifecycle.InitializeResult(
            protocol_version=lifecycle.PROTOCOL_VERSION,
            server_info=self._server,
            capabilities=lifecycle.Capabilities(methods=tuple(sorted(self._methods))),
            limits=self._limits,
        )
        self._answer_own(incoming, result)

    def _shutdown(self, request: Request, incoming: Incoming, effects: Effects) -> None:
        _decode(NoParams, request)
        self.state = lifecycle.next_state(self.state, "shutdown")
        self._shutdowns.append(incoming)
        effects.cancel += self.close(incoming.arrived)
        self._finish_shutdown()

    def _exit(self, request: Request, incoming: Incoming, effects: Effects) -> None:
        effects.exit_code = 0 if self.state is State.SHUT_DOWN else 1
        self._answer_own(incoming, None)

    def _cancel_request(self, request: Request, incoming: Incoming, effects: Effects) -> None:
        params: lifecycle.CancelParams = _decode(lifecycle.CancelParams, request)
        for target in [other for other in self._under_way if other.replies and other.id == params.id is not None]:
            effects.cancel += self._cancel(target)
        self._answer_own(incoming, None)

    def _set_trace(self, request: Request, incoming: Incoming, effects: Effects) -> None:
        params: lifecycle.SetTraceParams = _decode(lifecycle.SetTraceParams, request)
        self.trace = params.value
        self._answer_own(incoming, None)

    def _answer_own(self, incoming: Incoming, result: Any) -> None:
        if incoming.replies:
            self._deliver(messages.encode_result(incoming.id, result), incoming.batch, 0)

    # A request's life

    def start(self, incoming: Incoming) -> bool:
        """A thread is about to run it. False: it has been answered already, leave it.

        Needs no lock, for taking something out of a set happens once: here or where it is cancelled.
        """
        try:
            self._queued.remove(incoming)
        except KeyError:
            return False
        return True

    def answer(self, incoming: Incoming, reply: bytes, *, admits_cancel: bool = False, now: float = 0.0) -> None:
        """Its handler has ended with `reply`, an encoded response. Too late where it was answered already.

        `admits_cancel`: the reply is the handler's own -32800, which may say where a job stands.
        """
        if incoming not in self._under_way:
            return
        if incoming.cancelled and not admits_cancel:
            reply = _cancelled_reply(incoming.id)
        if self.trace != "off" and incoming.replies:
            took = 1000 * (now - incoming.arrived)
            self._trace(f"Sending response '{incoming.method} - ({incoming.id})'. It took {took:.0f} ms.", reply)
        self._conclude(incoming, reply)

    def report(self, incoming: Incoming, value: Progress, now: float) -> None:
        """Its handler tells how far it is."""
        if incoming not in self._under_way or incoming.progress_token is None:
            return
        incoming.stream = incoming.stream or ProgressStream()
        self._send_progress(incoming, incoming.stream.offer(value, now, hold=self.hold_progress))
        self._note_waiting(incoming)

    def rows(self, incoming: Incoming, notification: bytes) -> None:
        """Its handler has rows of its result, already encoded as a notification."""
        if incoming in self._under_way:
            self._send(notification)

    def notify(self, notification: bytes) -> None:
        """Send a notification of the server's own. Dropped before initialize and after shutdown."""
        if self.state is State.INITIALIZED:
            self._send(notification)

    def written(self, slots: int) -> None:
        """Messages that ended `slots` requests have left."""
        self._slots -= slots

    def _cancel(self, incoming: Incoming) -> list[CancelToken]:
        incoming.cancelled = True
        if self._withdraw(incoming):
            self._conclude(incoming, _cancelled_reply(incoming.id))
        return [incoming.token]

    def _withdraw(self, incoming: Incoming) -> bool:
        """Take back what waits to be run, and let go of its params; False where it runs."""
        waits = self.start(incoming)
        if waits:
            incoming.params = _EMPTY
        return waits

    def _conclude(self, incoming: Incoming, reply: bytes) -> None:
        """The one way in which a request ends."""
        if incoming.stream is not None:
            self._send_progress(incoming, incoming.stream.close())
            self._reporting.discard(incoming)
        self._under_way.discard(incoming)
        self._bytes -= incoming.size
        if incoming.batch is None and incoming.replies:
            self.outgoing.append((reply, 1))
        elif incoming.replies:
            self._deliver(reply, incoming.batch, 1)
        else:
            self._slots -= 1
        if self._shutdowns:
            self._finish_shutdown()

    # Time and the end

    @property
    def idle(self) -> bool:
        """Whether nothing is owed to anybody."""
        return not self._under_way and not self._shutdowns

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to do."""
        times = [due for incoming in self._reporting if (due := incoming.due) is not None]
        if self.hold_progress:
            times = []
        if self._deadline is not None and not self.idle:
            times.append(self._deadline)
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Send progress that has waited long enough; give up on what outlives its grace."""
        if not self.hold_progress:
            for incoming in tuple(self._reporting):
                if incoming.stream is not None:
                    self._send_progress(incoming, incoming.stream.flush(now))
                self._note_waiting(incoming)
        if self._deadline is not None and now >= self._deadline:
            self.abandon()

    def close(self, now: float) -> list[CancelToken]:
        """Cancel everything; what runs on has GRACE_SECONDS. Returns the tokens to put up."""
        if self._deadline is None:
            self._deadline = now + GRACE_SECONDS
        return [token for incoming in tuple(self._under_way) for token in self._cancel(incoming)]

    def abandon(self) -> None:
        """Answer everything that is still owed, now."""
        for incoming in tuple(self._under_way):
            incoming.cancelled = True
            self._withdraw(incoming)
            self._conclude(incoming, _cancelled_reply(incoming.id))

    def _finish_shutdown(self) -> None:
        """Answer `shutdown` once everything before it has been answered."""
        if not self._under_way:
            waiting, self._shutdowns = self._shutdowns, []
            for incoming in waiting:
                self._answer_own(incoming, None)

    # What goes out

    def _deliver(self, reply: bytes, batch: _BatchReply | None, slots: int) -> None:
        if batch is None:
            self.outgoing.append((reply, slots))
            return
        batch.replies.append(reply)
        batch.slots += slots
        self._close_one(batch)

    def _close_one(self, batch: _BatchReply) -> None:
        batch.open -= 1
        if batch.open == 0 and batch.replies:
            self._send(messages.encode_batch(batch.replies), batch.slots)

    def _send(self, body: bytes, slots: int = 0) -> None:
        self.outgoing.append((body, slots))

    def _trace(self, message: str, body: bytes | msgspec.Raw) -> None:
        if self.state is State.INITIALIZED:
            verbose = redact_json(body) if self.trace == "verbose" and len(memoryview(body)) else None
            log_trace = lifecycle.LogTrace(message=message, verbose=verbose)
            self._send(messages.encode_notification("$/logTrace", log_trace))

    def _send_progress(self, incoming: Incoming, values: Sequence[Progress]) -> None:
        if incoming.progress_token is None:
            return
        for value in values:
            self._send(messages.encode_progress(incoming.progress_token, value))

    def _note_waiting(self, incoming: Incoming) -> None:
        if incoming.due is None:
            self._reporting.discard(incoming)
        else:
            self._reporting.add(incoming)


def _decode(shape: Any, request: Request) -> Any:
    return messages.decode_params(decoder_for(shape), request.params)


def _cancelled_reply(identifier: RequestId) -> bytes:
    return messages.encode_error(identifier, RequestCancelled().to_wire())
