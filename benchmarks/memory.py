"""Peak memory of worker and sidecar, for more and more recordings, for a long one, for few classes and many.

Each row is a fresh sidecar with a fresh worker, driven over its pipe; the model is a Python file that costs nothing, so
that what is measured is the program's own: reading, journal, tables. Prints a table in Markdown; with --check it exits
1 where memory grows: more than ALLOWED MB between the smallest and the largest job of a group. Linux only.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import psutil
import soundfile

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from schemas.config import Config, InputConfig, OutputConfig, PythonModel  # noqa: E402
from schemas.env import EnvironmentChoice  # noqa: E402
from schemas.jobs import JobReport, RunParams  # noqa: E402
from tools.demo.client import SidecarClient  # noqa: E402
from tools.paths import ML, python_of  # noqa: E402

RATE = 8000
ALLOWED_MB = 100
MODEL = '''
import numpy as np
from ml_runtime.clips import extended_clips
from ml_runtime.models.protocol import ModelCard


class Noise:
    """Scores that look like a classifier's: mostly low, drawn from the sound."""

    def __init__(self, classes):
        names = tuple(f"class {number}" for number in range(classes))
        self.card = ModelCard(name="Noise", classes=names, clip_seconds=1.0, sample_rate=None, weights="noise")

    def clip_times(self, sound, overlap_seconds):
        return extended_clips(sound.duration_seconds, 1.0, overlap_seconds)

    def prepare(self, sound, start_seconds, end_seconds):
        return abs(int(1e6 * sound.read_stretch(start_seconds, 1.0).sum()))

    def score(self, prepared):
        return np.stack([
            np.random.default_rng(seed).normal(-5, 2, len(self.card.classes)).astype(np.float32) for seed in prepared
        ])
'''


@dataclass(frozen=True)
class Case:
    group: str
    what: str
    make: Callable[[Path], None]
    classes: int = 10
    layout: Literal["dense", "sparse"] = "dense"
    threshold: float | None = None
    top_k: int | None = None


@dataclass(frozen=True)
class Peak:
    case: Case
    worker_mb: float
    sidecar_mb: float
    clips: int
    seconds: float


def files(count: int, seconds: int = 1) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        samples = np.random.default_rng(0).normal(0, 0.1, RATE * seconds).astype(np.float32)
        soundfile.write(folder / "0.wav", samples, RATE)
        for number in range(1, count):
            shutil.copyfile(folder / "0.wav", folder / f"{number}.wav")

    return make


def long_recording(hours: int) -> Callable[[Path], None]:
    """A WAV whose silence takes no room on the disk."""

    def make(folder: Path) -> None:
        size = hours * 3600 * RATE * 2
        audio_format = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
        header = struct.pack("<4sI4s", b"RIFF", size + 36, b"WAVE") + audio_format + struct.pack("<4sI", b"data", size)
        with (folder / "long.wav").open("wb") as stream:
            stream.write(header)
            stream.truncate(len(header) + size)

    return make


MANY = 10_000
CASES = [
    *(Case("recordings", f"{count:,} of 1 s", files(count)) for count in (10, 100, 1_000, 10_000)),
    *(Case("length", f"one of {hours} h", long_recording(hours)) for hours in (1, 24)),
    *(Case("dense, 10 classes", f"{count} of 60 s", files(count, 60)) for count in (10, 100)),
    *(Case("dense, 10,000 classes", f"{count} of 60 s", files(count, 60), MANY) for count in (10, 40)),
    *(
        Case("sparse, 10,000 classes, topK 3", f"{count} of 60 s", files(count, 60), MANY, "sparse", top_k=3)
        for count in (10, 100)
    ),
    *(
        Case("sparse, 10,000 classes, a quarter kept", f"{count} of 60 s", files(count, 60), MANY, "sparse", -3.7)
        for count in (10, 40)
    ),
]


def measure(case: Case, place: Path) -> Peak:
    recordings = place / "recordings"
    recordings.mkdir()
    case.make(recordings)
    (place / "model.py").write_text(MODEL)
    config = Config(
        model=PythonModel(path=str(place / "model.py"), class_name="Noise", options={"classes": case.classes}),
        input=InputConfig(folders=(str(recordings),)),
        output=OutputConfig(
            folder=str(place / "output"), layout=case.layout, threshold=case.threshold, top_k=case.top_k
        ),
    )
    command: list[str | Path] = [sys.executable, "-m", "sidecar"]
    command += ["--state-folder", place / "state", "--cache-folder", place / "cache"]
    with SidecarClient(command, cwd=ROOT) as sidecar:
        began = time.perf_counter()
        params = RunParams(config=config, environment=EnvironmentChoice(python=str(python_of(ML))), trust=True)
        report = sidecar.call("inference/run", params, JobReport)
        taken = time.perf_counter() - began
        process = psutil.Process(sidecar.pid)
        worker = max(peak_mb(child.pid) for child in process.children())
        return Peak(case, worker, peak_mb(process.pid), report.clips, taken)


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measured(chosen: list[str]) -> Iterator[Peak]:
    print("| job | clips | worker MB | sidecar MB | s |\n|---|---|---|---|---|", flush=True)
    for case in CASES:
        if chosen and not any(words in case.group for words in chosen):
            continue
        with tempfile.TemporaryDirectory() as place:
            peak = measure(case, Path(place))
        name = f"{case.group}: {case.what}"
        row = f"{name} | {peak.clips:,} | {peak.worker_mb:.0f} | {peak.sidecar_mb:.0f} | {peak.seconds:.0f}"
        print(f"| {row} |", flush=True)
        yield peak


def growth(peaks: list[Peak]) -> dict[str, float]:
    """By group: MB by which the largest job needs more than the smallest, of worker or sidecar."""
    grown = {}
    for group in dict.fromkeys(peak.case.group for peak in peaks):
        first, *_, last = [peak for peak in peaks if peak.case.group == group]
        grown[group] = max(last.worker_mb - first.worker_mb, last.sidecar_mb - first.sidecar_mb)
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group", nargs="*", help="only groups with these words in their name")
    parser.add_argument("--check", action="store_true", help="exit 1 where memory grows")
    options = parser.parse_args()
    grown = growth(list(measured(options.group)))
    too_much = {group: mb for group, mb in grown.items() if mb > ALLOWED_MB}
    if options.check and too_much:
        sys.exit("; ".join(f"{group}: {mb:.0f} MB more" for group, mb in too_much.items()))


if __name__ == "__main__":
    main()
