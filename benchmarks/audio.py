"""Clips, spectrograms and scans side by side with the usual path, in one run, in turns.

The usual path: soundfile, scipy.signal.spectrogram, matplotlib's colormaps, scipy.ndimage.zoom of order 1, an
optimised PNG, one clip after another; glob and a sort. Prints a table and, with --check, exits 1 where a bar is missed.

The bars with a colormap are held against the usual path that colours the spectrogram and then zooms its three
channels: of the two orders it is the one that takes three times as long as grey, as the path did that was measured when
the bars were set (38 and 12.7 ms). The cheaper order, which zooms first, stands beside it.
"""

from __future__ import annotations

import argparse
import base64
import glob
import io
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib
import msgspec
import numpy as np
import scipy.ndimage
import scipy.signal
import soundfile
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rpc.cancel import CancelToken  # noqa: E402
from schemas.audio import ClipParams, SpectrogramSettings  # noqa: E402
from schemas.folders import ScanParams  # noqa: E402
from sidecar.audio.batch import ClipRenderer  # noqa: E402
from sidecar.audio.blobs import BlobStore  # noqa: E402
from sidecar.audio.cache import ClipCache  # noqa: E402
from sidecar.folders.scan import scan_folder  # noqa: E402

RATE = 48000
SECONDS = 3.0
PAGE = 24
PATTERNS = [f"*.{kind}" for kind in ("wav", "WAV", "flac", "FLAC", "mp3", "MP3", "ogg", "OGG", "aiff", "AIFF")]

Settings = SpectrogramSettings
Task = Callable[[], object]


# The usual path.


def usual_clip(path: str, start: float, colormap: str | None, zoom_first: bool = False) -> tuple[str, str]:
    with soundfile.SoundFile(path) as file:
        file.seek(int(start * file.samplerate))
        samples = file.read(int(SECONDS * file.samplerate))
        rate = file.samplerate
    _, _, power = scipy.signal.spectrogram(samples, rate, "hann", nperseg=512, noverlap=256, detrend=False)
    decibels = 10 * np.log10(np.maximum(power, 1e-20))
    levels = np.clip((decibels + 80) / 60, 0, 1)[::-1]
    if colormap is None:
        image = Image.fromarray((255 - zoomed(levels) * 255).astype(np.uint8))
    elif zoom_first:
        image = Image.fromarray((matplotlib.colormaps[colormap](zoomed(levels))[:, :, :3] * 255).astype(np.uint8))
    else:
        image = Image.fromarray((zoomed(matplotlib.colormaps[colormap](levels)[:, :, :3]) * 255).astype(np.uint8))
    picture, sound = io.BytesIO(), io.BytesIO()
    image.save(picture, "PNG", optimize=True)
    soundfile.write(sound, samples / np.abs(samples).max(), rate, "PCM_16", format="WAV")
    return tuple(base64.b64encode(content.getvalue()).decode() for content in (picture, sound))


def zoomed(levels: np.ndarray) -> np.ndarray:
    factors = (224 / levels.shape[0], 224 / levels.shape[1], 1)[: levels.ndim]
    return scipy.ndimage.zoom(levels, factors, order=1)


def usual_scan(folder: str) -> list[tuple[str, int]]:
    paths: set[str] = set()
    for pattern in PATTERNS:
        paths.update(glob.glob(f"{folder}/**/{pattern}", recursive=True))  # noqa: PTH207
    digits = re.compile(r"(\d+)")
    ordered = sorted(paths, key=lambda path: [int(p) if p.isdigit() else p.lower() for p in digits.split(path)])
    return [(path, os.path.getsize(path)) for path in ordered]  # noqa: PTH202


# Ours.


def request(path: str, start: float, colormap: str | None = None, delivery: str = "inline") -> ClipParams:
    return ClipParams(
        path=path,
        start_seconds=start,
        end_seconds=start + SECONDS,
        spectrogram=SpectrogramSettings(colormap=colormap or "greys"),
        delivery=delivery,
    )


# Measuring.


def in_turns(tasks: dict[str, Task], rounds: int) -> dict[str, float]:
    """The median milliseconds of each task; they take turns, so that what else the machine does hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def chorus(path: Path, seconds: float, rate: int = RATE, seed: int = 0, format: str | None = None) -> str:
    """Noise and whistles, in pieces. Noise in the middle of the colormap: on clean sound the usual PNG takes 65 ms."""
    generator = np.random.default_rng(seed)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16", format=format) as file:
        piece = generator.normal(0, 0.06, 30 * rate)
        moments = np.arange(30 * rate) / rate
        piece += 0.2 * np.sin(2 * np.pi * 3000 * moments + 40 * np.sin(2 * np.pi * 3 * moments)) * (moments % 1 < 0.4)
        for _ in range(int(seconds / 30)):
            file.write(piece)
    return str(path)


def measure_clips(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    recording = chorus(folder / "page.wav", 120)
    old = time.time() - 60
    os.utime(recording, (old, old))
    starts = [index * 4.7 for index in range(PAGE)]
    renderer = ClipRenderer(BlobStore())
    remembering = ClipRenderer(BlobStore(), ClipCache(folder / "cache"))
    token = CancelToken()
    encode = msgspec.json.Encoder().encode  # which makes the base64
    table: dict[str, dict[str, float]] = {}
    for name, colormap in (("grey", None), ("magma", "magma")):
        page = [request(recording, start, colormap) for start in starts]
        tasks: dict[str, Task] = {
            "usual": lambda colormap=colormap: [usual_clip(recording, start, colormap) for start in starts],
        }
        if colormap is not None:
            tasks["usual, zoom first"] = lambda: [usual_clip(recording, start, "magma", True) for start in starts]
        tasks |= {
            "one at a time": lambda page=page: [encode(renderer.render(one, token)) for one in page],
            "batch": lambda page=page: encode(renderer.render_all(page, token)),
            "cached, one at a time": lambda page=page: [encode(remembering.render(one, token)) for one in page],
            "cached page": lambda page=page: encode(remembering.render_all(page, token)),
        }
        table[name] = {task: value / PAGE for task, value in in_turns(tasks, rounds).items()}
        usual, ours = usual_clip(recording, 0, colormap), renderer.render(request(recording, 0, colormap), token)
        sizes = (len(base64.b64decode(usual[0])), len(ours.spectrogram.content))
        print(f"{name}: a picture has {sizes[0] / 1000:.1f} kB the usual way, {sizes[1] / 1000:.1f} kB ours")
    return table


def measure_scan(folder: Path, count: int, rounds: int) -> dict[str, float]:
    for site in range(count // 100):
        inside = folder / f"site{site % 50}" / f"card{site}"
        inside.mkdir(parents=True)
        for number in range(100):
            (inside / f"S{site}_{number}.{'WAV' if number % 2 else 'flac'}").touch()
    tasks: dict[str, Task] = {
        "usual": lambda: usual_scan(str(folder)),
        "ours": lambda: scan_folder(ScanParams(folder=str(folder)), CancelToken()),
    }
    assert len(tasks["usual"]()) == count
    found = scan_folder(ScanParams(folder=str(folder)), CancelToken())
    assert [(row.path, row.size_bytes) for row in found.files] == usual_scan(str(folder))
    return in_turns(tasks, rounds)


def anywhere_in(path: str, seconds: float) -> Task:
    renderer, generator = ClipRenderer(BlobStore()), np.random.default_rng(0)
    return lambda: renderer.render(request(path, generator.uniform(0, seconds)), CancelToken())


def measure_long(folder: Path, rounds: int, hours: int = 24) -> dict[str, dict[str, float]]:
    """A clip out of a minute and out of a day, at the same rate."""
    rate = 8000
    table: dict[str, dict[str, float]] = {}
    for kind in ("wav", "flac"):
        short = chorus(folder / f"short.{kind}", 60, rate)
        long = chorus(folder / f"long.{kind}", hours * 3600, rate)
        tasks = {"1 min": anywhere_in(short, 50), "24 h": anywhere_in(long, hours * 3600 - 10)}
        table[kind] = in_turns(tasks, rounds * 20)
        Path(long).unlink()
    table["memory"] = {"peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    return table


class Pipe:
    """A sidecar behind its pipes, one request at a time."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sidecar", "--cache-folder", str(folder / "sidecar-cache")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip

    def ask(self, method: str, params: object) -> bytes:
        self.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        reply = self.receive()
        assert b'"error"' not in reply, reply
        return reply

    def send(self, message: object) -> None:
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self) -> bytes:
        length = int(self.process.stdout.readline().split(b":")[1])
        self.process.stdout.readline()
        return self.process.stdout.read(length)

    def ask_and_cancel(self, method: str, params: object, after_seconds: float) -> float:
        """The milliseconds from sending the cancel to the reply."""
        self.send({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        time.sleep(after_seconds)
        start = time.perf_counter()
        self.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}})
        assert b"-32800" in self.receive()
        return 1000 * (time.perf_counter() - start)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def measure_pipe(folder: Path, rounds: int) -> dict[str, float]:
    """From request to reply; the times differ each round, so that no clip comes out of the cache unless meant to."""
    recording = chorus(folder / "pipe.wav", 1200)
    pipe = Pipe(folder)
    places = iter(np.arange(0, 1190, 0.11))

    def one(delivery: str, start: float | None = None) -> bytes:
        start = float(next(places)) if start is None else start
        clip = {"path": recording, "startSeconds": start, "endSeconds": start + SECONDS}
        return pipe.ask("audio/clip", {**clip, "delivery": delivery})

    def page(delivery: str) -> bytes:
        starts = [float(next(places)) for _ in range(PAGE)]
        clips = [{"path": recording, "startSeconds": start, "endSeconds": start + SECONDS} for start in starts]
        return pipe.ask("audio/clips", {"clips": clips, "delivery": delivery})

    def first(pause: float | None = None) -> float:
        """The first clip of a sidecar: at once, or so long after a folder was listed."""
        fresh = Pipe(folder)
        fresh.ask("health", {})
        if pause is not None:
            fresh.ask("folders/scan", {"folder": str(folder / "empty")})
            time.sleep(pause)
        begun = time.perf_counter()
        fresh.ask("audio/clip", {"path": recording, "startSeconds": 20.0, "endSeconds": 23.0})
        elapsed = 1000 * (time.perf_counter() - begun)
        fresh.close()
        return elapsed

    (folder / "empty").mkdir()
    table = {"first clip after start": first(), "first clip, 2 s after a folder scan": first(2.0)}
    one("inline")
    tasks: dict[str, Task] = {
        "clip, inline": lambda: one("inline"),
        "clip, file": lambda: one("file"),
        "clip again (cached), inline": lambda: one("inline", 0.0),
        "clip again (cached), file": lambda: one("file", 0.0),
        f"page of {PAGE}, inline": lambda: page("inline"),
        f"page of {PAGE}, file": lambda: page("file"),
    }
    table |= in_turns(tasks, rounds * 2)
    many = [{"path": recording, "startSeconds": n / 2, "endSeconds": n / 2 + 3, "clipId": str(n)} for n in range(1000)]
    slow = {"windowSamples": 4096, "fftSamples": 65536, "overlapFraction": 0.99}
    for row, settings in (("page of quick clips", {"widthPixels": 225}), ("page of clips of a second each", slow)):
        waits = [pipe.ask_and_cancel("audio/clips", {"clips": many, "spectrogram": settings}, 0.3) for _ in range(10)]
        table[f"cancel to reply, {row}"] = max(waits)
    pipe.close()
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, a tenth of the files, an hour for a day")
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    parser.add_argument("--only", choices=["clips", "scan", "long", "pipe"])
    arguments = parser.parse_args()
    rounds = 5 if arguments.quick else 15
    results: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory(prefix="bench-audio-") as name:
        folder = Path(name)
        if arguments.only in (None, "clips"):
            results += report_clips(measure_clips(folder, rounds))
        if arguments.only in (None, "scan"):
            count = 10_000 if arguments.quick else 100_000
            scan = measure_scan(folder / "scan", count, 5)
            ratio = scan["usual"] / scan["ours"]
            print(
                f"\nlisting {count} files: usual {scan['usual']:.0f} ms, ours {scan['ours']:.0f} ms: {ratio:.1f} times"
            )
            results.append(("listing files", ratio, 2.0))
        if arguments.only in (None, "long"):
            results += report_long(measure_long(folder, rounds, 1 if arguments.quick else 24))
        if arguments.only in (None, "pipe"):
            print("\nfrom request to reply through the pipe, ms (first clip with all imports; cancel: longest of ten)")
            for row, value in measure_pipe(folder, rounds).items():
                print(f"  {row:48}{value:9.2f}")
    missed = [f"{row}: {ratio:.2f}, the bar is {bar}" for row, ratio, bar in results if ratio < bar]
    print("\n" + ("every bar is met" if not missed else "MISSED: " + "; ".join(missed)))
    if missed and arguments.check:
        sys.exit(1)


def report_clips(table: dict[str, dict[str, float]]) -> list[tuple[str, float, float]]:
    bars = {"one at a time": (2.5, 6.0), "batch": (4.0, 10.0), "cached page": (20.0, 20.0)}
    results = []
    print(f"\nclips of {SECONDS:g} s at {RATE} Hz, picture and sound, inline, ms each{'':14}times the usual path (bar)")
    for (name, row), nth in zip(table.items(), (0, 1), strict=True):
        print(f"  {name:8}{'usual':24}{row['usual']:9.2f}")
        for task in list(row)[1:]:
            ratio = row["usual"] / row[task]
            bar = f"({bars[task][nth]})" if task in bars else ""
            other = (
                f"   {row['usual, zoom first'] / row[task]:.1f} against zoom first" if name == "magma" and bar else ""
            )
            print(f"  {'':8}{task:24}{row[task]:9.2f}{ratio:12.1f} {bar}{other}")
            if task in bars:
                results.append((f"{name} {task}", ratio, bars[task][nth]))
    return results


def report_long(table: dict[str, dict[str, float]]) -> list[tuple[str, float, float]]:
    results = []
    print("\na clip of 3 s, ms")
    for kind in ("wav", "flac"):
        row = table[kind]
        print(f"  {kind:6}out of 1 min {row['1 min']:7.2f}   out of a day {row['24 h']:7.2f}")
        results.append((f"{kind} of a day", row["1 min"] / row["24 h"], 0.9))
    print(f"  peak memory {table['memory']['peak MB']:.0f} MB")
    return results


if __name__ == "__main__":
    main()
