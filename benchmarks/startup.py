"""How soon a sidecar answers, how much memory it holds while nobody asks, how large it is: frozen and from source.

Prints tables in Markdown; with --check it exits 1 where the frozen one misses a bar: first reply within 0.15 s of
spawn with its files in cache, 60 MB of memory, 200 MB of files, 85 MB compressed. Run `dev.py build-sidecar` before.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.freezing.weight import table, total, weigh  # noqa: E402
from tools.paths import FROZEN  # noqa: E402
from tools.which_sidecar import frozen_executable  # noqa: E402

REPLY_SECONDS, IDLE_MB, FOLDER_MB, COMPRESSED_MB = 0.15, 60, 200, 85
IDLE_SECONDS = 1.0
HEALTH = b'{"jsonrpc":"2.0","id":1,"method":"health"}\n'
ECHO = "import sys; sys.stdin.readline(); print('{}', flush=True); sys.stdin.read()"


class Start(NamedTuple):
    """Of one process: seconds from spawn to the first reply, to its end after its stdin was closed, and its memory."""

    reply: float
    end: float
    megabytes: float


def start(command: Sequence[str | Path], folder: Path, idle: float) -> Start:
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, bufsize=0
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(HEALTH)
    assert process.stdout.readline().startswith(b"{"), f"{command[0]} did not answer"
    replied = time.perf_counter() - started
    time.sleep(idle)
    megabytes = psutil.Process(process.pid).memory_info().rss / 1e6
    closed = time.perf_counter()
    process.stdin.close()
    process.wait()
    ended = time.perf_counter() - closed
    process.stdout.close()
    return Start(replied, ended, megabytes)


def measure(commands: dict[str, list[str | Path]], rounds: int, folder: Path) -> dict[str, list[Start]]:
    """The programs take turns, so that the machine's moods hit all. The first round fills the cache and is left out."""
    taken: dict[str, list[Start]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            begun = start(command, folder, IDLE_SECONDS if number == rounds else 0.0)
            if number:
                taken[name].append(begun)
    return taken


def row(name: str, starts: list[Start]) -> str:
    replies = sorted(1000 * begun.reply for begun in starts)
    ends = [1000 * begun.end for begun in starts]
    p95 = replies[round(0.95 * (len(replies) - 1))]
    return (
        f"| {name} | {statistics.median(replies):.0f} | {p95:.0f} | {replies[0]:.0f} "
        f"| {statistics.median(ends):.0f} | {starts[-1].megabytes:.0f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    frozen = frozen_executable() or FROZEN
    if not frozen.exists():
        sys.exit("There is no frozen sidecar: run `python3 dev.py build-sidecar`.")
    commands: dict[str, list[str | Path]] = {
        "frozen sidecar": [frozen],
        "sidecar from source": [sys.executable, "-m", "sidecar"],
        "a Python that echoes": [sys.executable, "-I", "-c", ECHO],
    }
    with tempfile.TemporaryDirectory() as folder:
        taken = measure(commands, options.rounds, Path(folder))
    print("| program | first reply ms, median | p95 | best | end ms | idle MB |\n|---|---:|---:|---:|---:|---:|")
    for name, starts in taken.items():
        print(row(name, starts))
    weights = weigh(frozen.parent)
    print(f"\n{table(weights)}\n")
    return report(taken["frozen sidecar"], total(weights).size / 1e6, total(weights).compressed / 1e6, options.check)


def report(starts: list[Start], folder: float, compressed: float, check: bool) -> int:
    """Say which bars hold."""
    found = {
        f"first reply within {REPLY_SECONDS} s": statistics.median(s.reply for s in starts) <= REPLY_SECONDS,
        f"idle memory at most {IDLE_MB} MB": starts[-1].megabytes <= IDLE_MB,
        f"folder at most {FOLDER_MB} MB": folder <= FOLDER_MB,
        f"compressed at most {COMPRESSED_MB} MB": compressed <= COMPRESSED_MB,
    }
    for bar, holds in found.items():
        print(f"{'holds' if holds else 'MISSED'}: {bar}")
    return 0 if all(found.values()) or not check else 1


if __name__ == "__main__":
    sys.exit(main())
