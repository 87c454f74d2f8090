"""A server over pipes: a crew of threads that read and run, a writer, and the main thread as clock.

What lives here: moving bytes, running handlers, ending. What must not: a decision that can be made without I/O
(peer.py), which thread does what (crew.py, outbox.py), or any method of ours.

    crew     one thread reads: stdin -> frames -> peer, cancels. It waits for nobody but stdin, and for our output
             only while more than `max_unsent_bytes` of it is unread. Up to `pool_threads` run: decode params, call
             the handler, encode the result.
    writer   what does not leave at once.
    main     the clock: help for the crew, due progress, graces, the watched process; signals; the end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, Literal, Protocol

import msgspec

from rpc import allocator, containment, logs, messages
from rpc.atonce import input_waits
from rpc.call import Call, Progress
from rpc.cancel import CancelToken
from rpc.crew import Crew
from rpc.errors import InternalError, InvalidRequest, OutOfMemory, ParseError, RequestCancelled, RpcError
from rpc.framing import Decoder, Event, Frames, Framing, FramingLost, Oversized
from rpc.lifecycle import InitializeParams, Limits, ServerInfo, State
from rpc.liveness import ProcessWatch, reader_gone
from rpc.methods import Params
from rpc.outbox import Outbox
from rpc.peer import GRACE_SECONDS, Arrival, Effects, Incoming, Peer
from rpc.routes import Registry, Routes
from rpc.stdio import take_stdio

__all__ = ["Application", "Limits", "Options", "Registry", "ServerInfo", "serve"]

_READ_BYTES = 64 * 1024  # more would be mapped and unmapped by malloc for each small message
_LARGE_READ_BYTES = 1 << 20
_WATCH_SECONDS = 1.0
_SWITCH_SECONDS = 0.001  # a busy pure-Python handler delays others by 4 ms at p95, not 21
_EXIT_GONE = 3
_EXIT_FRAMING = 4
_EXIT_CRASH = 70
_ENOUGH_TASKS = 32
_ENOUGH_UNSAID = 16
_SMALL_BYTES = 4096
_LARGE_REPLY_BYTES = 256 * 1024
_UNSAID_SECONDS = 0.001
_GRACE_STEP_SECONDS = 0.05
_HOLD_BYTES = 1 << 20
_Answer = tuple[Incoming, bytes, bool]
"""A request, its reply, and whether that is the handler's own -32800."""
_EMPTY = msgspec.Raw()
_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")

log = logging.getLogger(__name__)


class Application(Protocol):
    """What the channel tells the program it serves. All three run on channel threads; none may block."""

    def connected(self, notify: Callable[[str, msgspec.Struct], None]) -> None:
        """Before the first request. `notify(method, params)` sends a notification, dropped before initialize."""

    def initialized(self, params: InitializeParams) -> None:
        """The client shook hands, with its process id and its folder for blobs."""

    def closed(self) -> None:
        """No request runs any more, or the grace is over: end the children, close the files. Within a second."""


class Options(msgspec.Struct, frozen=True):
    """How to serve."""

    server: ServerInfo
    framing: Literal["auto", "line", "header"] = "auto"
    limits: Limits = msgspec.field(default_factory=Limits)
    kill_group_at_end: bool = False
    """For a worker that leads its own session: kill the whole group, itself last, when its client has gone."""


def serve(registry: Registry, options: Options, application: Application | None = None) -> int:
    """Take stdin and stdout, answer until the client leaves, return the exit code (see PROTOCOL, Lifecycle).

    Call it on the main thread. fd 1 points at stderr from then on, for this process and its children. Threads
    may still run when it returns: leave by os._exit.
    """
    stdio = take_stdio()
    if stdio.stdout is None:
        return _EXIT_GONE
    sys.setswitchinterval(_SWITCH_SECONDS)
    containment.contain()
    server = _Server(registry, options, application, stdio.stdin, stdio.stdout)
    code = server.run()
    if application is not None:
        with _logged("closing"):
            application.closed()
    if options.kill_group_at_end:
        logs.flush()
        containment.end_own_group()
    return code


class _End(msgspec.Struct, frozen=True):
    """Why and how to leave. `drain`: finish the work received first."""

    code: int
    drain: bool = False


class _Server:
    """One conversation."""

    def __init__(
        self, registry: Registry, options: Options, application: Application | None, stdin: int, stdout: int
    ) -> None:
        self._routes = Routes(registry)
        self._application = application
        self._stdin = stdin
        self._stdout = stdout
        self._limits = options.limits
        self._peer = Peer(frozenset(registry), options.server, options.limits)
        self._lock = threading.Lock()
        self._decoder = Decoder(options.framing, options.limits.max_message_bytes)
        self._framing: Framing = "header" if options.framing == "header" else "line"
        self._outbox = Outbox(
            stdout,
            on_written=self._written,
            on_broken=lambda: self._leave(_End(_EXIT_GONE)),
            limit=options.limits.max_unsent_bytes,
        )
        self._crew = Crew(options.limits.pool_threads, self._read, self._run, self._say, lambda: self._leave(None))
        self._ends: queue.SimpleQueue[_End | None] = queue.SimpleQueue()  # its put may be called by a signal handler
        self._watch: ProcessWatch | None = None
        self._leaving = False
        self._read_bytes = _READ_BYTES
        self._events: Iterator[Event] = iter(())
        self._input_over = False
        self._freed: deque[int] = deque()
        self._answers: deque[_Answer] = deque()
        self._sleeps_until = 0.0
        self._said = 0.0
        self._input_waits = input_waits(stdin)

    # The main thread

    def run(self) -> int:
        """Serve to the end; the exit code."""
        self._install_signals()
        if self._application is not None:
            self._application.connected(self._notify)
        self._outbox.start()
        self._crew.start()
        return self._finish(self._wait_for_end())

    def _wait_for_end(self) -> _End:
        next_watch = time.monotonic() + _WATCH_SECONDS
        draining: _End | None = None
        while True:
            end = self._next_event(next_watch)
            now = time.monotonic()
            if end is not None and not end.drain:
                return end
            if end is not None:
                draining, self._leaving = end, True
            if now >= next_watch:
                next_watch = now + _WATCH_SECONDS
                if self._client_gone():
                    return _End(_EXIT_GONE)
            with self._lock:
                self._settle()
                self._peer.hold_progress = self._outbox.unsent > _HOLD_BYTES
                self._peer.tick(now)
                idle = self._peer.idle
            self._say()
            if draining and idle and not self._outbox.unsent:
                return draining

    def _next_event(self, latest: float) -> _End | None:
        now = time.monotonic()
        check = self._crew.look(now)
        with self._lock:
            until = min(latest, self._peer.next_due or latest, latest if check is None else now + check)
            self._sleeps_until = until
        try:
            return self._ends.get(timeout=max(0.0, until - now))
        except queue.Empty:
            return None

    def _finish(self, end: _End) -> int:
        """Cancel what runs, give it its grace, let the replies leave."""
        self._leaving = True
        with self._lock:
            self._settle()
            tokens = self._peer.close(time.monotonic())
        self._put_up(tokens)
        while not self._idle():
            self._next_event(time.monotonic() + _GRACE_STEP_SECONDS)
            with self._lock:
                self._settle()
                self._peer.tick(time.monotonic())
            self._say()
        self._say()
        self._outbox.flush(GRACE_SECONDS)
        return end.code

    def _idle(self) -> bool:
        with self._lock:
            self._settle()
            return self._peer.idle

    def _client_gone(self) -> bool:
        if self._watch is not None and not self._watch.alive():
            log.warning("the client's process has ended")
            return True
        return reader_gone(self._stdout)

    def _leave(self, end: _End | None) -> None:
        """Wake the main thread, to leave or to look at the time."""
        self._ends.put(end)

    def _install_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays in force
                signal.signal(number, lambda received, _: self._leave(_End(128 + received)))

    # Reading, on whichever thread of the crew does

    def _read(self) -> bool:
        """Deal with what has been read and read on, until there is work; False when nothing more is to be read.

        Returns early when there is enough to run: what is not taken in yet is no request under way.
        """
        logs.set_request()
        try:
            if len(self._answers) >= _ENOUGH_UNSAID:
                self._say()  # the client goes on while we do
            while not self._deal():
                if self._input_over:
                    self._leave(_End(_EXIT_FRAMING) if self._decoder.lost else self._end_of_input())
                    return False
                if not self._more_is_here():
                    self._say()
                self._read_on()
        except Exception:
            log.exception("reading failed")
            self._leave(_End(_EXIT_CRASH))
            return False
        return True

    def _deal(self) -> bool:
        """Deal with what has been read, as far as there is not enough to run; whether there is work for the crew."""
        parse, max_batch = messages.parse, self._limits.max_batch
        taken = 0
        for event in self._events:
            if event.framing != self._framing:
                self._reframe(event.framing)
            if isinstance(event, Frames):
                self._receive([(parse(body, max_batch), len(body)) for body in event.bodies])
                taken += len(event.bodies)
            else:
                self._refuse(event)
            if taken >= _ENOUGH_TASKS and self._crew.has_work:
                return True
        return self._crew.has_work

    def _more_is_here(self) -> bool:
        """Whether reading would not wait, and what is to be said can: a few replies leave in one call then."""
        unsaid = len(self._answers) + len(self._peer.outgoing)
        if not 0 < unsaid < _ENOUGH_UNSAID or time.monotonic() - self._said > _UNSAID_SECONDS:
            return False
        return self._input_waits()

    def _read_on(self) -> None:
        """Read a chunk; its events are drawn by `_deal`."""
        self._outbox.wait_for_room()
        chunk = self._read_chunk()
        self._events = self._decoder.feed(chunk) if chunk else self._decoder.end()
        self._input_over = not chunk

    def _read_chunk(self) -> bytes:
        while True:
            try:
                chunk = os.read(self._stdin, self._read_bytes)
            except BlockingIOError:  # somebody else made the shared description non-blocking
                select.select([self._stdin], [], [], 1.0)
            except OSError:
                return b""
            else:
                large = len(chunk) >= _READ_BYTES
                self._read_bytes = _LARGE_READ_BYTES if large else _READ_BYTES
                if large:
                    allocator.keep_freed_memory()
                return chunk

    def _end_of_input(self) -> _End:
        with self._lock:
            state = self._peer.state
        if state is State.INITIALIZED:
            return _End(_EXIT_GONE)
        return _End(0, drain=True)

    def _receive(self, arrived: Sequence[Arrival]) -> None:
        with self._lock:
            self._settle()
            effects = self._peer.receive(arrived, time.monotonic())
        promised = self._routes.quick
        quick = [incoming for incoming in effects.run if incoming.method in promised]
        others = [incoming for incoming in effects.run if incoming.method not in promised] if quick else effects.run
        self._crew.submit(others, quick)
        if effects.others:
            self._carry_out(effects)

    def _refuse(self, event: Oversized | FramingLost) -> None:
        if isinstance(event, Oversized):
            error: RpcError = InvalidRequest(f"A message holds at most {self._limits.max_message_bytes} bytes.")
        else:
            error = ParseError(event.reason)
            self._input_over = True
        with self._lock:
            self._peer.refuse(error)

    def _reframe(self, framing: Framing) -> None:
        """Reply in kind from now on."""
        with self._lock:
            self._post()
            self._framing = framing

    def _carry_out(self, effects: Effects) -> None:
        if effects.initialized is not None:
            self._shake_hands(effects.initialized)
        if effects.cancel:
            self._put_up(effects.cancel)
        if effects.exit_code is not None:
            self._leave(_End(effects.exit_code))

    def _shake_hands(self, params: InitializeParams) -> None:
        if params.process_id is not None:
            self._watch = ProcessWatch(params.process_id)
        if self._application is not None:
            with _logged("initialized"):
                self._application.initialized(params)

    def _put_up(self, tokens: Sequence[CancelToken]) -> None:
        """Cancel, outside our lock: callbacks may report or answer."""
        for token in tokens:
            with _logged("a cancel callback"):
                token.cancel()
        self._leave(None)

    # Running, on the threads of the crew

    def _run(self, incoming: Incoming) -> None:
        """Answer one request. Never raises."""
        if self._outbox.unsent > self._limits.max_unsent_bytes:
            self._outbox.wait_for_room(lambda: incoming.cancelled)
        if not self._peer.start(incoming):
            return
        logs.set_request(incoming.id, incoming.method)
        try:
            handler, decoder = self._routes[incoming.method]
            params = messages.decode_params(decoder, incoming.params)
            incoming.params = _EMPTY  # the message's memory goes with it
            call = Call(incoming.id, incoming.method, incoming.token)
            if isinstance(params, Params) and params.has_token:
                self._listen(call, incoming, params)
            result = handler(params, call)
            if isinstance(result, Future):
                result.add_done_callback(lambda done: self._answer_future(incoming, done))
                return
            reply = messages.encode_result(incoming.id, result)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            self._answer(incoming, *self._error_reply(incoming, error))
        else:
            self._answer(incoming, reply)

    def _listen(self, call: Call, incoming: Incoming, params: Params) -> None:
        """The client wants to hear of this request before its end."""
        incoming.progress_token = params.work_done_token
        incoming.rows_token = params.partial_result_token
        call.listen(
            _Sink(self, incoming),
            progress=incoming.progress_token is not None,
            partial=incoming.rows_token is not None,
        )

    def _answer_future(self, incoming: Incoming, done: Future[Any]) -> None:
        try:
            reply = messages.encode_result(incoming.id, done.result())
        except BaseException as error:  # noqa: BLE001 - as above
            self._answer(incoming, *self._error_reply(incoming, error))
        else:
            self._answer(incoming, reply)
        self._say()  # this thread is not of the crew, which does so before it waits

    def _error_reply(self, incoming: Incoming, error: BaseException) -> tuple[bytes, bool]:
        """The reply for what a handler raised, and whether it is its own -32800."""
        if isinstance(error, CancelledError):
            error = RequestCancelled()
        elif isinstance(error, MemoryError):
            error = OutOfMemory("There was not enough memory for this request.")
        elif not isinstance(error, RpcError):
            log.error("%s %s failed", incoming.id, incoming.method, exc_info=error)
            detail = "".join(traceback.format_exception(error)) if self._peer.trace != "off" else None
            error = InternalError(f"Something went wrong inside the server: {type(error).__name__}.", detail=detail)
        return messages.encode_error(incoming.id, error.to_wire()), isinstance(error, RequestCancelled)

    def _answer(self, incoming: Incoming, reply: bytes, admits_cancel: bool = False) -> None:
        self._answers.append((incoming, reply, admits_cancel))
        if len(reply) > _SMALL_BYTES:
            self._say()
            if len(reply) > _LARGE_REPLY_BYTES:
                allocator.keep_freed_memory()
        if self._leaving:
            self._leave(None)

    def progress(self, incoming: Incoming, value: Progress) -> None:
        """A handler tells how far it is."""
        with self._lock:
            self._peer.report(incoming, value, time.monotonic())
            wake = incoming.due is not None and incoming.due < self._sleeps_until
        self._say()
        if wake:
            self._leave(None)

    def rows(self, incoming: Incoming, rows: Sequence[Any]) -> None:
        """A handler has rows of its result."""
        self._outbox.wait_for_room(lambda: incoming.cancelled)
        incoming.token.raise_if_cancelled()
        if incoming.rows_token is None:
            return
        notification = messages.encode_progress(incoming.rows_token, rows)
        with self._lock:
            self._peer.rows(incoming, notification)
        self._say()

    # Any thread

    def _say(self) -> None:
        """Let what the peer wants said leave, in the order in which it said so.

        Every thread that made it say something calls this before it waits; the crew once for many replies.
        """
        self._said = time.monotonic()
        if self._answers or self._peer.outgoing:
            with self._lock:
                self._post()
        if self._outbox.unsent:
            self._outbox.push()

    def _post(self) -> None:
        """Queue what the peer wants said. With the lock held."""
        self._settle()
        self._outbox.put(self._peer.outgoing, self._framing)
        self._peer.outgoing.clear()
        self._peer.hold_progress = self._outbox.unsent > _HOLD_BYTES

    def _settle(self) -> None:
        """Tell the peer what has been answered and written meanwhile. With the lock held, before all else.

        A lock for each would cost as much as all else that is done for a small request.
        """
        answer, now = self._peer.answer, time.monotonic()
        while self._answers:
            incoming, reply, admits_cancel = self._answers.popleft()
            answer(incoming, reply, admits_cancel=admits_cancel, now=now)
        while self._freed:
            self._peer.written(self._freed.popleft())

    def _written(self, slots: int) -> None:
        self._freed.append(slots)
        if self._leaving:
            self._leave(None)

    def _notify(self, method: str, params: msgspec.Struct) -> None:
        notification = messages.encode_notification(method, params)
        with self._lock:
            self._peer.notify(notification)
        self._say()


class _Sink(msgspec.Struct, frozen=True):
    """Where the Call of one request leads."""

    server: _Server
    incoming: Incoming

    def progress(self, progress: Progress) -> None:
        self.server.progress(self.incoming, progress)

    def rows(self, rows: Sequence[Any]) -> None:
        self.server.rows(self.incoming, rows)


@contextlib.contextmanager
def _logged(doing: str) -> Any:
    """Keep a thread of the channel alive whatever the program it serves raises."""
    try:
        yield
    except Exception:
        log.exception("%s failed", doing)
