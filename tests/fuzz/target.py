"""What the fuzzer and the kept cases run: any bytes through framing, parsing and the peer.

    .venv/bin/python -m tests.fuzz.target -max_total_time=60 tests/fuzz/cases

Findings are written to the working folder as crash-*; keep them in tests/fuzz/cases under a name that says what
they are: test_fuzz.py runs every file there.
"""

from __future__ import annotations

import json
import sys

from rpc import messages
from rpc.errors import InvalidRequest, ParseError
from rpc.framing import Decoder, Event, Frames, FramingLost
from rpc.lifecycle import Limits, ServerInfo
from rpc.peer import Peer

FRAMINGS = ("auto", "line", "header")
LIMIT = 4096


def run_one(stream: bytes) -> None:
    """Feed `stream` (its first byte chooses framing and chunk size); fail where a law is broken."""
    choice = stream[0] if stream else 0
    framing = FRAMINGS[choice % 3]
    size = 1 + choice // 3
    whole = cut(stream[1:], framing, len(stream) + 1)
    assert whole == cut(stream[1:], framing, size), "chunking must not matter"
    converse(whole)


def cut(stream: bytes, framing: str, size: int) -> list[Event]:
    """The events of `stream` in chunks of `size`."""
    decoder = Decoder(framing, LIMIT)  # type: ignore[arg-type]
    events: list[Event] = []
    for start in range(0, len(stream), size):
        events += decoder.feed(stream[start : start + size])
    events += decoder.end()
    assert not any(isinstance(event, FramingLost) for event in events[:-1]), "nothing follows a lost framing"
    return [one for event in events for one in singly(event)]


def singly(event: Event) -> list[Event]:
    """Each message by itself: which were complete together depends on the chunks."""
    return [Frames((body,), event.framing) for body in event.bodies] if isinstance(event, Frames) else [event]


def converse(events: list[Event]) -> None:
    """Each message gets its reply: never none for a request, never two."""
    peer = Peer(("work",), ServerInfo(name="fuzz", version="1"), Limits(max_in_flight=8, max_batch=20))
    for now, event in enumerate(events):
        if isinstance(event, Frames):
            effects = peer.receive([(messages.parse(body, 20), len(body)) for body in event.bodies], float(now))
            for incoming in effects.run:
                if peer.start(incoming):
                    peer.answer(incoming, messages.encode_result(incoming.id, incoming.params), now=float(now))
        else:
            error = ParseError if isinstance(event, FramingLost) else InvalidRequest
            peer.refuse(error("It was no message."))
        peer.tick(float(now))
    peer.close(float(len(events)))
    peer.abandon()
    assert peer.idle
    slots = 0
    for body, count in peer.outgoing:
        slots += count
        check_reply(json.loads(body))
    peer.written(slots)
    assert peer._slots == 0, "every slot comes back"


def check_reply(reply: object) -> None:
    """What goes out is a response, or an array of some."""
    if isinstance(reply, list):
        assert reply, "an empty array is no reply"
        for part in reply:
            check_reply(part)
        return
    assert isinstance(reply, dict)
    assert reply["jsonrpc"] == "2.0"
    assert ("method" in reply) != ("id" in reply)
    assert "id" not in reply or ("result" in reply) != ("error" in reply)


def main() -> None:
    """Fuzz until the time given is over."""
    import atheris  # type: ignore[import-untyped,unused-ignore]

    atheris.instrument_all()
    atheris.Setup(sys.argv, run_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
