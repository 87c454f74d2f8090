"""The transport side by side with python-lsp-jsonrpc and pygls, in one run, from Python and from Node.

Prints a table and, with --check, exits 1 where a bar is missed. Servers take turns, so that what else the machine
does hits all alike, and a ratio is the median of the ratios of neighbours in time.
"""

from __future__ import annotations

import argparse
import compileall
import itertools
import json
import os
import re
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVERS = {
    "ours": [sys.executable, "-m", "sidecar", "--test-methods", "--log-level", "warning"],
    "python-lsp-jsonrpc": [sys.executable, "benchmarks/servers/lsp_jsonrpc.py"],
    "pygls": [sys.executable, "benchmarks/servers/pygls_server.py"],
}
MB = 1_000_000
READ_BYTES = 1 << 20
PATIENCE_SECONDS = 60.0
RARELY = 10
BUSY_ID = 10**9
CONTENT_LENGTH = re.compile(rb"(?i)content-length: *([0-9]+)")
REPLY_ID = re.compile(rb'"id": ?([0-9]+)')
SMALL = {"path": "/recordings/2026-05-01.wav", "startSeconds": 12.5, "endSeconds": 15.5}


class Client:
    """As little as a client can be: header framing and one thread, so that the server is measured and not the client.

    (A client with a reader thread of its own, in Python, mostly measures how its two threads fight over the
    interpreter: replies that come in bursts stop its writer.)
    """

    def __init__(self, server: str) -> None:
        self.process = subprocess.Popen(
            SERVERS[server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input, self._output = self.process.stdin.fileno(), self.process.stdout.fileno()
        self._buffer = bytearray()

    def exchange(self, requests: Sequence[bytes], in_flight: int = 1) -> list[float]:
        """Seconds from each request's write to its whole reply, `in_flight` of them under way; ids count from 0."""
        sent: dict[int, float] = {}
        latencies: list[float] = []
        upcoming = iter(enumerate(requests))
        while len(latencies) < len(requests):
            for id, request in itertools.islice(upcoming, in_flight - len(sent)):
                sent[id] = time.perf_counter()
                self.send(request)
            for id in self._receive():
                latencies.append(time.perf_counter() - sent.pop(id))
        return latencies

    def ask(self, method: str, params: object) -> float:
        """Seconds of one round trip."""
        return self.exchange([request(0, method, params)])[0]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def send(self, request: bytes) -> None:
        """Write one request, whole."""
        view = memoryview(request)
        while view:
            view = view[os.write(self._input, view) :]

    def _receive(self) -> Iterator[int]:
        """The ids of the replies that are complete; waits for more bytes where none is."""
        if not select.select([self._output], [], [], PATIENCE_SECONDS)[0]:
            raise TimeoutError("no reply")
        self._buffer += os.read(self._output, READ_BYTES)
        while (end := self._buffer.find(b"\r\n\r\n", 0, 200)) >= 0:
            length = CONTENT_LENGTH.search(self._buffer, 0, end)
            assert length is not None
            whole = end + 4 + int(length[1])
            del length  # a match holds the buffer, which could not shrink then
            if len(self._buffer) < whole:
                return
            body = bytes(self._buffer[end + 4 : whole])
            del self._buffer[:whole]
            id = REPLY_ID.search(body)
            if id is not None:  # pygls tells something of its own at times
                yield int(id[1])


Table = dict[str, dict[str, list[float]]]
"""Milliseconds: row, server, and a figure for each round."""

Measure = Callable[[Client], list[float]]
"""Seconds, one or many, that something takes with a server."""


def request(id: int, method: str, params: object) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def first_reply(server: str) -> float:
    """Milliseconds from spawning it to the first reply."""
    start = time.perf_counter()
    client = Client(server)
    client.ask("health", {})
    elapsed = time.perf_counter() - start
    client.close()
    return elapsed * 1000


def latency(in_flight: int, count: int, share: float) -> Measure:
    requests = [request(id, "echo", SMALL) for id in range(count)]
    return lambda client: [quantile(client.exchange(requests, in_flight), share)]


def throughput(in_flight: int, count: int) -> Measure:
    requests = [request(id, "echo", SMALL) for id in range(count)]

    def per_request(client: Client) -> list[float]:
        start = time.perf_counter()
        client.exchange(requests, in_flight)
        return [(time.perf_counter() - start) / count]

    return per_request


def one(method: str, params: object) -> Measure:
    requests = [request(0, method, params)]
    return lambda client: client.exchange(requests)


def compare(measure: Measure, rounds: int, *, rarely: Collection[str] = ()) -> dict[str, list[float]]:
    """Milliseconds per server; the servers live through all rounds and take turns, some of them in each tenth alone."""
    clients = {server: Client(server) for server in SERVERS}
    for client in clients.values():
        client.ask("health", {})
        measure(client)
    found: dict[str, list[float]] = {server: [] for server in SERVERS}
    order = list(SERVERS)
    for number in range(rounds):
        order = [*order[1:], order[0]]
        for server in order:
            if server in rarely and number % RARELY:
                continue
            found[server] += [1000 * seconds for seconds in measure(clients[server])]
    for client in clients.values():
        client.close()
    return found


def busy_delay() -> float:
    """p95 of `health` in ms while a pure-Python handler computes."""
    client = Client("ours")
    client.ask("health", {})
    client.send(request(BUSY_ID, "busy", {"seconds": 4}))
    delays = []
    for _ in range(150):
        delays.append(1000 * client.ask("health", {}))
        time.sleep(0.005)
    client.close()
    return quantile(delays, 0.95)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def node_table(rounds: int) -> Table | None:
    """The same from a vscode-jsonrpc client; None where Node or its packages are missing."""
    script = ROOT / "benchmarks" / "node" / "rpc.cjs"
    folder = ROOT / "tests" / "node"
    try:
        output = subprocess.run(
            ["node", str(script), json.dumps(SERVERS), str(rounds)],
            cwd=ROOT,
            env=os.environ | {"NODE_PATH": str(folder / "node_modules")},
            check=True,
            capture_output=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"(Node: {getattr(error, 'stderr', b'') or error})")
        return None
    table: Table = json.loads(output)
    return table


BARS: list[tuple[str, str, float]] = [
    ("64 in flight, per request", "python-lsp-jsonrpc", 1.0),
    ("echo 1 MB", "python-lsp-jsonrpc", 1.3),
    ("1 MB result", "python-lsp-jsonrpc", 1.3),
    ("spawn to first reply", "python-lsp-jsonrpc", 1 / 2.5),
    ("1 in flight p50", "pygls", 4.0),
    ("64 in flight, per request", "pygls", 4.0),
    ("spawn to first reply", "pygls", 3.0),
    ("echo 1 MB", "pygls", 2.0),
    ("1 MB result", "pygls", 2.0),
]
"""Row, rival, and how many times our speed must be theirs."""


def python_table(quick: bool) -> Table:
    scale = 1 if quick else 3
    table: Table = {}
    starts: dict[str, list[float]] = {server: [] for server in SERVERS}
    for _ in range(10 * scale):
        for server in SERVERS:
            starts[server].append(first_reply(server))
    table["spawn to first reply"] = starts
    for in_flight, count in ((1, 150), (64, 600)):
        for share in (0.5, 0.99):
            row = f"{in_flight} in flight p{100 * share:.0f}"
            table[row] = compare(latency(in_flight, count, share), 4 * scale)
    table["64 in flight, per request"] = compare(throughput(64, 600), 40 * scale, rarely=["pygls"])
    for name, method, params in (
        ("echo 1 MB", "echo", {"text": "x" * MB}),
        ("echo 10 MB", "echo", {"text": "x" * 10 * MB}),
        ("1 MB result", "bytes", {"count": MB}),
    ):
        table[name] = compare(one(method, params), (4 if "10" in name else 20) * scale)
    return table


def ratio(row: dict[str, list[float]], rival: str) -> float:
    """How many times our speed is the rival's: of neighbours in time where both took part in every round."""
    if len(row[rival]) == len(row["ours"]):
        return statistics.median(theirs / ours for theirs, ours in zip(row[rival], row["ours"], strict=True))
    return statistics.median(row[rival]) / statistics.median(row["ours"])


def show(title: str, table: Table) -> None:
    print(f"\n{title + ', ms':32}" + "".join(f"{server:>20}" for server in SERVERS) + "   ratio to ours")
    for row, values in table.items():
        ratios = "  ".join(f"{ratio(values, server):5.2f}" for server in list(SERVERS)[1:])
        print(
            f"{row:32}" + "".join(f"{statistics.median(values[server]):20.3f}" for server in SERVERS) + f"   {ratios}"
        )


def missed(title: str, table: Table) -> list[str]:
    return [
        f"{title}: {row} is {found:.2f} times {rival}'s speed, the bar is {bar:.2f}"
        for row, rival, bar in BARS
        if row in table and (found := ratio(table[row], rival)) < bar
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    for package in ("rpc", "schemas", "sidecar"):
        compileall.compile_dir(ROOT / package, quiet=2)  # a rival's modules were compiled when it was installed
    tables = {"from Python": python_table(arguments.quick)}
    show("from Python", tables["from Python"])
    node = node_table(1 if arguments.quick else 3)
    if node is not None:
        tables["from Node"] = node
        show("from Node", node)
    delay = busy_delay()
    print(f"\nhealth beside a busy pure-Python handler, p95: {delay:.1f} ms (bar: 20)")
    problems = [problem for title, table in tables.items() for problem in missed(title, table)]
    problems += [f"health beside a busy handler takes {delay:.1f} ms"] if delay > 20 else []
    print("\n".join(problems) or "every bar is met")
    if arguments.json:
        arguments.json.write_text(json.dumps(tables, indent=1))
    if arguments.check and problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
