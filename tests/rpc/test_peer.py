"""The peer against a plain model: requests, cancels, progress, shutdown, in any order."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rpc import messages
from rpc.call import Progress
from rpc.errors import DecodeFailed, RequestCancelled
from rpc.lifecycle import Limits, ServerInfo
from rpc.peer import GRACE_SECONDS, Incoming, Peer

METHODS = ("work", "rest")
RECENT = st.integers(0, 4)
JUNK = st.sampled_from([b"42", b"{", b'{"jsonrpc":"2.0","id":3,"result":0}', b"\xff", b"[1]"])
LIMITS = Limits(max_in_flight=4, max_batch=5)


def new_peer() -> Peer:
    return Peer(METHODS, ServerInfo(name="test", version="1"), LIMITS)


@dataclass(eq=False)
class Model:
    """What we know about one accepted request."""

    id: int | None
    incoming: Incoming
    batch: list[int] | None
    stage: str = "queued"
    cancelled: bool = False
    told: list[str] = field(default_factory=list)
    last_report: float = float("-inf")
    hurried: bool = False

    @property
    def notification(self) -> bool:
        return self.id is None


class PeerMachine(RuleBasedStateMachine):
    """Each rule drives the peer, says what it must send at once, and compares."""

    @initialize()
    def start(self) -> None:
        self.peer = new_peer()
        self.now = 100.0
        self.ids = iter(range(10_000))
        self.known: list[Model] = []
        self.handshaken = self.stopped = False
        self.slots = 0
        self.unwritten = 0
        self.shutdown_id: int | None = None
        self.deadline = float("inf")

    # What is sent

    def sent(self) -> list[Any]:
        """Everything sent since the last look, progress checked and taken out, batches opened."""
        replies: list[Any] = []
        for stream, slots in self.peer.outgoing:
            self.unwritten += slots
            body = json.loads(stream)
            if isinstance(body, dict) and body.get("method") == "$/progress":
                self.check_progress(body["params"])
            elif isinstance(body, list):
                replies += body
                assert body, "an empty array is no reply"
            else:
                replies.append(body)
        self.peer.outgoing = []
        assert not any(model.hurried for model in self.known)
        return replies

    def check_progress(self, params: Any) -> None:
        model = next(model for model in self.known if model.incoming.progress_token == params["token"])
        kind = params["value"]["kind"]
        assert "end" not in model.told
        assert (kind == "begin") == (not model.told)
        assert not model.hurried or kind == "end", "only the last report may come early, right before the end"
        model.hurried = kind == "report" and self.now < model.last_report + 0.1
        model.last_report = self.now
        model.told.append(kind)

    def conclude(self, model: Model) -> None:
        """A request ends."""
        model.stage = "answered"
        if model.told and model.told[-1] != "end":
            model.told.append("(end owed)")
        if model.notification:
            self.slots -= 1

    def recent(self, which: int) -> Model | None:
        """One under way, or the last one accepted: rules that meet find more than rules that scatter."""
        candidates = [*self.live(), *self.known[-1:]]
        return candidates[which] if which < len(candidates) else None

    def live(self) -> list[Model]:
        return [model for model in self.known if model.stage != "answered"]

    def expect(self, *expected: tuple[int | None, int | None]) -> None:
        """Exactly these (id, error code or None) and, where it falls due, the reply to shutdown."""
        wanted = list(expected)
        if self.shutdown_id is not None and not self.live():
            wanted.append((self.shutdown_id, None))
            self.shutdown_id = None
        got = [(reply["id"], reply["error"]["code"] if "error" in reply else None) for reply in self.sent()]
        assert sorted(got, key=repr) == sorted(wanted, key=repr)
        assert not self.stopped or got[-1:] == wanted[-1:] or self.live()

    # Rules

    @rule(
        method=st.sampled_from([*METHODS * 3, "unknown"]),
        notify=st.sampled_from([False, False, False, True]),
        token=st.booleans(),
        begin=st.booleans(),
    )
    def request(self, method: str, notify: bool, token: bool, begin: bool) -> None:
        id = None if notify else next(self.ids)
        body = {"jsonrpc": "2.0", "method": method, **({} if notify else {"id": id})}

        effects = self.receive(body)

        code = -32600 if self.stopped else -32601 if method == "unknown" else 1007 if self.slots >= 4 else None
        if code is not None:
            assert not effects.run
            self.expect(*([] if notify else [(id, code)]))
        else:
            self.accepted(effects.run[0], id, token)
            if begin:
                self.begin(0)

    def accepted(self, incoming: Incoming, id: int | None, token: bool) -> None:
        model = Model(id, incoming, None)
        incoming.progress_token = f"progress {len(self.known)}" if token else None
        self.known.append(model)
        self.slots += 1
        self.expect()

    @rule(which=RECENT)
    def begin(self, which: int) -> None:
        model = self.recent(which)
        if model is None:
            return
        assert self.peer.start(model.incoming) == (model.stage == "queued")
        if model.stage == "queued":
            model.stage = "running"
        self.expect()

    @rule(which=RECENT, how=st.sampled_from(["result", "error", "cancelled"]))
    def finish(self, which: int, how: str) -> None:
        model = self.recent(which)
        if model is None or model.stage == "queued":
            return
        reply = {
            "result": lambda: messages.encode_result(model.id, "done"),
            "error": lambda: messages.encode_error(model.id, DecodeFailed("No sound.").to_wire()),
            "cancelled": lambda: messages.encode_error(model.id, RequestCancelled(job_id="7").to_wire()),
        }[how]()
        over = model.stage == "answered"

        self.peer.answer(model.incoming, reply, admits_cancel=how == "cancelled")

        if over:
            self.expect()
            return
        self.conclude(model)
        code = -32800 if model.cancelled or how == "cancelled" else {"result": None, "error": 1002}[how]
        self.expect(*([] if model.notification else [(model.id, code)]))

    @rule(which=RECENT, stranger=st.booleans())
    def cancel(self, which: int, stranger: bool) -> None:
        model = self.recent(which)
        id = model.id if model is not None and not stranger else "nobody"

        effects = self.receive({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id}})

        if model is None or stranger or model.stage == "answered" or self.stopped or model.notification:
            assert not effects.cancel
            self.expect()
            return
        assert effects.cancel == [model.incoming.token]
        model.cancelled = True
        if model.stage == "queued":
            self.conclude(model)
            self.expect((model.id, -32800))
        else:
            self.expect()

    @rule(which=RECENT, kind=st.sampled_from(["begin", "report", "end"]))
    def tell(self, which: int, kind: Any) -> None:
        model = self.recent(which)
        if model is not None:
            self.peer.report(model.incoming, Progress(kind=kind, done=1), self.now)
            self.expect()

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.2, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.peer.tick(self.now)
        if self.now >= self.deadline:
            self.given_up()
        else:
            self.expect()

    def given_up(self) -> None:
        live = self.live()
        for model in live:
            self.conclude(model)
        self.expect(*((model.id, -32800) for model in live if not model.notification))

    @rule(what=st.sampled_from(["stuck", "not stuck", "exit", "exit asked", "junk", "initialize"]), junk=JUNK)
    def something_else(self, what: str, junk: bytes) -> None:
        """The rare things, as one rule, so that they stay rare."""
        if what == "initialize":
            self.shake_hands()
        elif what == "junk":
            self.receive_junk(junk)
        elif what.startswith("exit"):
            self.ask_to_exit(what == "exit")
        else:
            self.output_stuck(what == "stuck")

    def output_stuck(self, hold: bool) -> None:
        self.peer.hold_progress = hold

    def shake_hands(self) -> None:
        id = next(self.ids)
        effects = self.receive({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": {"processId": None}})
        welcome = not (self.handshaken or self.stopped)
        assert (effects.initialized is not None) == welcome
        self.handshaken = self.handshaken or welcome
        self.expect((id, None if welcome else -32600))

    @precondition(lambda self: len(self.known) > 4)
    @rule()
    def shut_down(self) -> None:
        id = next(self.ids)
        effects = self.receive({"jsonrpc": "2.0", "id": id, "method": "shutdown"})
        if self.stopped:
            self.expect((id, -32600))
            return
        self.stopped, self.shutdown_id, self.deadline = True, id, self.now + GRACE_SECONDS
        assert set(effects.cancel) == {model.incoming.token for model in self.live()}
        answered = []
        for model in self.live():
            model.cancelled = True
            if model.stage == "queued":
                self.conclude(model)
                answered += [] if model.notification else [(model.id, -32800)]
        self.expect(*answered)

    def ask_to_exit(self, notification: bool) -> None:
        id = next(self.ids)
        body = {"jsonrpc": "2.0", "method": "exit"} | ({} if notification else {"id": id})
        effects = self.receive(body)
        assert effects.exit_code == (0 if self.stopped else 1)
        self.expect(*([] if notification else [(id, None)]))

    @rule()
    def output_leaves(self) -> None:
        self.peer.written(self.unwritten)
        self.slots -= self.unwritten
        self.unwritten = 0

    def receive_junk(self, stranger: bytes) -> None:
        code = {b"42": -32600, b"[1]": -32600, b"{": -32700, b"\xff": -32700}.get(stranger)
        effects = self.peer.receive([(messages.parse(stranger, 5), len(stranger))], self.now)
        assert not effects.run
        self.expect(*([] if code is None else [(None, code)]))

    @invariant()
    def owes_what_the_model_owes(self) -> None:
        if hasattr(self, "peer"):
            assert self.peer.idle == (not self.live() and self.shutdown_id is None)

    def receive(self, body: dict[str, Any]) -> Any:
        stream = json.dumps(body).encode()
        return self.peer.receive([(messages.parse(stream, LIMITS.max_batch), len(stream))], self.now)

    def teardown(self) -> None:
        """At the end everybody has been answered once, and progress that was begun has been ended."""
        if not hasattr(self, "peer"):
            return
        self.deadline = min(self.deadline, self.now)
        live = self.live()
        for model in live:
            if model.stage == "queued":
                self.conclude(model)
        self.peer.close(self.now)
        self.peer.abandon()
        for model in live:
            model.stage = "answered"
        self.expect(*((model.id, -32800) for model in live if not model.notification))
        assert self.peer.idle
        for model in self.known:
            assert not [kind for kind in model.told if kind != "(end owed)"] or "end" in model.told


PeerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestPeer = PeerMachine.TestCase


@pytest.mark.parametrize("seed", range(15))
def test_long_conversations(seed):
    """The same machine for hundreds of steps, further than a search for the shortest failure goes."""
    dice = random.Random(seed)
    machine = PeerMachine()
    machine.start()

    for step in range(400):
        rules: list[Callable[[], None]] = [
            lambda: machine.request(dice.choice([*METHODS * 3, "unknown"]), dice.random() < 0.2, True, False),
            lambda: machine.begin(dice.randrange(5)),
            lambda: machine.finish(dice.randrange(5), dice.choice(["result", "error", "cancelled"])),
            lambda: machine.cancel(dice.randrange(5), dice.random() < 0.2),
            lambda: machine.tell(dice.randrange(5), dice.choice(["begin", "report", "report", "end"])),
            lambda: machine.time_passes(dice.choice([0.01, 0.05, 0.2])),
            machine.output_leaves,
            lambda: machine.something_else(dice.choice(["stuck", "not stuck", "junk", "initialize"]), b"[1]"),
        ]
        (machine.shut_down if step == 350 else dice.choice(rules))()
        machine.owes_what_the_model_owes()

    assert len(machine.known) > 10
    machine.teardown()


# Batches


def receive(peer: Peer, *bodies: dict[str, Any], now: float = 0.0) -> Any:
    stream = json.dumps(list(bodies)).encode()
    return peer.receive([(messages.parse(stream, LIMITS.max_batch), len(stream))], now)


def ask(id: int | str, method: str = "work") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method}


def sent(peer: Peer) -> list[Any]:
    outgoing, peer.outgoing = peer.outgoing, []
    return [json.loads(body) for body, _ in outgoing]


def test_a_batch_is_answered_once_all_of_it_is():
    peer = new_peer()
    first, second = receive(peer, ask(1), ask(2), ask(3, "unknown"), {"jsonrpc": "2.0", "method": "unknown"}).run
    before = sent(peer)

    peer.start(first)
    peer.answer(first, messages.encode_result(1, "one"))
    between = sent(peer)
    receive(peer, {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 2}})
    (batch,) = sent(peer)

    assert before == between == []
    assert {reply["id"]: reply.get("result", reply.get("error", {}).get("code")) for reply in batch} == {
        1: "one",
        2: -32800,
        3: -32601,
    }
    assert second.token is not None


def test_a_batch_holds_its_slots_until_it_is_written():
    peer = new_peer()
    runs = receive(peer, *(ask(number) for number in range(5))).run
    for incoming in runs:
        peer.start(incoming)
        peer.answer(incoming, messages.encode_result(incoming.id, None))
    ((_, slots),) = peer.outgoing

    busy = receive(peer, ask("late")).run
    peer.written(slots)
    welcome = receive(peer, ask("later")).run

    assert len(runs) == 4  # the fifth found no slot
    assert slots == 4
    assert busy == []
    assert len(welcome) == 1


def test_requests_that_hold_much_memory_are_busy():
    peer = Peer(METHODS, ServerInfo(name="test", version="1"), Limits(max_unsent_bytes=1000))

    arrived = [(messages.parse(json.dumps(ask(number)).encode(), 5), 600) for number in range(4)]
    accepted = peer.receive(arrived, 0.0).run

    assert [incoming.id for incoming in accepted] == [0, 1]


@pytest.mark.parametrize("params", [{"path": 1}, [1], {"id": [1]}, {"id": {}}, {"id": None}])
def test_a_cancel_that_makes_no_sense_is_passed_over(params):
    peer = new_peer()
    (incoming,) = receive(peer, ask(1)).run

    effects = receive(peer, {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": params})

    assert not effects.cancel
    assert not incoming.cancelled
    assert sent(peer) == []


def test_the_same_id_twice_is_answered_and_cancelled_twice():
    peer = new_peer()
    runs = receive(peer, ask(1), ask(1), ask("1")).run

    effects = receive(peer, {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}})

    assert {id(token) for token in effects.cancel} == {id(runs[0].token), id(runs[1].token)}


def test_what_is_cancelled_while_it_is_started_is_either_run_or_answered():
    peer = Peer(METHODS, ServerInfo(name="test", version="1"), Limits(max_in_flight=20_000))
    runs = peer.receive(
        [(messages.parse(json.dumps(ask(number)).encode(), 5), 60) for number in range(20_000)], 0.0
    ).run
    started: list[Any] = []
    begun = threading.Event()

    def start_all() -> None:
        begun.set()
        started.extend(incoming.id for incoming in runs if peer.start(incoming))

    runner = threading.Thread(target=start_all)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        runner.start()
        begun.wait()
        tokens = peer.close(0.0)
        runner.join()
    finally:
        sys.setswitchinterval(interval)
    answered = [reply["id"] for reply in sent(peer)]

    assert len(tokens) == len(runs)
    assert sorted(started + answered) == list(range(20_000))
