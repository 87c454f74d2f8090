"""Whole jobs side by side with OpenSoundscape's `predict`, with the forward passes alone, and twice on a warm worker.

Checkpoints with random weights and one-minute recordings of noise, made here. `predict` runs at the best of its batch
sizes and numbers of workers, found on a few recordings first; a job runs as the worker runs it, journal and tables
included, once with nothing remembered and once as every later job. Prints a table; with --check exits 1 where a bar is
missed. Runs under the ML environment's interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.paths import ML, python_of  # noqa: E402

if Path(sys.prefix).resolve() != ML.resolve():
    os.execv(python_of(ML), [str(python_of(ML)), *sys.argv])

from ml_runtime.compat import make_importable  # noqa: E402

make_importable()
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import soundfile  # noqa: E402
import torch  # noqa: E402
from opensoundscape import CNN, load_model  # noqa: E402
from opensoundscape.ml import cnn_architectures  # noqa: E402

from ml_runtime.cpus import usable_cpus  # noqa: E402
from ml_runtime.models.plans import Setting, make_plan, plans_for  # noqa: E402
from ml_runtime.models.registry import ModelProvider  # noqa: E402
from ml_runtime.pipeline.choices import Choices  # noqa: E402
from ml_runtime.run import run_job  # noqa: E402
from rpc.call import Progress  # noqa: E402
from rpc.cancel import CancelToken  # noqa: E402
from schemas.config import CheckpointModel, Config, InferenceConfig, InputConfig, OutputConfig  # noqa: E402
from survey.job_folder import JobFolder  # noqa: E402

RATE, MINUTE, CLIP_SECONDS = 32000, 60, 3.0
CLASSES = [f"species {number}" for number in range(50)]
SHAPE = (3, 257, 374)
KEYS = ["file", "start_time", "end_time"]
EQUAL = 1e-5


def make_recordings(folder: Path, count: int) -> list[str]:
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        samples = generator.normal(0, 0.05, RATE * MINUTE).astype(np.float32)
        soundfile.write(folder / f"{number:02}.wav", samples, RATE, subtype="PCM_16")
    return [str(path) for path in sorted(folder.iterdir())]


def make_checkpoint(folder: Path, architecture: str) -> Path:
    """Batch normalisation is given the statistics of some noise: without, scores of all clips are nearly equal."""
    torch.manual_seed(0)
    model = CNN(
        architecture=architecture, classes=CLASSES, sample_duration=CLIP_SECONDS, sample_rate=RATE, channels=3,
        arch_weights=None,
    )  # fmt: skip
    model.network.train()
    with torch.no_grad():
        for _ in range(3):
            model.network(torch.randn(4, *SHAPE))
    model.save(folder / f"{architecture}.pt")
    return folder / f"{architecture}.pt"


def load_reference(path: Path) -> Any:
    """`load_model`, without the ImageNet weights that it downloads only to overwrite them."""
    original = cnn_architectures.ARCH_DICT[path.stem]

    def empty(classes: Any, weights: Any = None, **options: Any) -> Any:
        return original(classes, weights=None, **options)

    with mock.patch.dict(cnn_architectures.ARCH_DICT, {path.stem: empty}):
        return load_model(path, device="cpu")


def timed(task: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = task()
    return time.perf_counter() - begun, result


def best_options(model: Any, files: list[str]) -> dict[str, int]:
    """Batch size and workers with which `predict` is quickest."""
    tried = {}
    predict(model, files[:1], {"batch_size": 1, "num_workers": 0})
    for batch_size, workers in ((1, 0), (8, 0), (8, 1)):
        options = {"batch_size": batch_size, "num_workers": workers}
        tried[batch_size, workers], _ = timed(lambda options=options: predict(model, files, options))
    print({f"{size} clips, {count} workers": round(seconds, 1) for (size, count), seconds in tried.items()}, flush=True)
    batch_size, workers = min(tried, key=tried.__getitem__)
    return {"batch_size": batch_size, "num_workers": workers}


def predict(model: Any, files: list[str], options: dict[str, int]) -> pd.DataFrame:
    return model.predict(files, progress_bar=False, **options)


class Runner:
    """Jobs of one model, as one warm worker runs them."""

    def __init__(self, place: Path, checkpoint: Path, files: list[str]) -> None:
        self._place, self._checkpoint, self._files = place, checkpoint, files
        self._provider, self._choices = ModelProvider(), Choices(place / "cache")
        self._provider.load(self._model, "auto", trust=False, token=CancelToken(), tell=lambda message: None)
        self.first_clip_seconds = 0.0

    @property
    def _model(self) -> CheckpointModel:
        return CheckpointModel(path=str(self._checkpoint))

    def run(self, **inference: Any) -> JobFolder:
        """A whole job: from the config to predictions.csv."""
        config = Config(
            model=self._model,
            input=InputConfig(files=tuple(self._files)),
            output=OutputConfig(folder=str(self._place / "jobs")),
            inference=InferenceConfig(**inference),
        )
        begun = time.perf_counter()
        folder, heard = JobFolder.create(config, datetime.now(UTC)), []

        def hear(progress: Progress) -> None:
            if progress.done and not heard:
                heard.append(time.perf_counter() - begun)

        def announce(progress: Progress) -> None:
            if progress.message == "scoring":
                self.first_clip_seconds = time.perf_counter() - begun
            hear(progress)

        run_job(folder, self._provider, CancelToken(), announce, choices=self._choices)
        return folder


def forward_alone(checkpoint: Path, plan: str, batch_size: int, clips: int) -> float:
    """Seconds that the network needs for so many clips, on all processors, with nothing else to do."""
    network = load_reference(checkpoint).network.eval()
    torch.set_num_threads(usable_cpus())
    with torch.inference_mode():
        batch = torch.randn(batch_size, 1, *SHAPE[1:])
        forward = make_plan(plan, network, batch, Setting(torch.device("cpu"), usable_cpus(), SHAPE[0]))
        for _ in range(3):
            forward(batch)
        rounds = max(5, min(30, clips // batch_size))
        seconds, _ = timed(lambda: [forward(batch) for _ in range(rounds)])
    return seconds / (rounds * batch_size) * clips


def measure(architecture: str, place: Path, files: list[str]) -> dict[str, float]:
    checkpoint = make_checkpoint(place, architecture)
    reference = load_reference(checkpoint)
    options = best_options(reference, files[:4])
    theirs_seconds, theirs = timed(lambda: predict(reference, files, options))
    clips = len(theirs)
    print(f"{architecture}: predict at its best, {options}: {1000 * theirs_seconds / clips:.1f} ms a clip", flush=True)
    runner = Runner(place / architecture, checkpoint, files)
    first_seconds, _ = timed(runner.run)
    print(f"{architecture}: first job, measuring included: {1000 * first_seconds / clips:.1f} ms a clip", flush=True)
    ours_seconds, folder = timed(runner.run)
    ours = pd.read_csv(folder.predictions_path).set_index(KEYS)
    summary = json.loads(folder.summary_path.read_text("utf-8"))
    alone = forward_alone(checkpoint, summary["plan"], summary["batchSize"], clips)
    row = {
        "predict": 1000 * theirs_seconds / clips,
        "first job": 1000 * first_seconds / clips,
        "job": 1000 * ours_seconds / clips,
        "forward": 1000 * alone / clips,
        "differ": float(np.abs(ours.to_numpy() - theirs.to_numpy()).max()),
        "start": runner.first_clip_seconds,
    }
    spread = float(ours.to_numpy().std(axis=0).mean())
    plan = f"{summary['plan']}, {summary['batchSize']} at a time"
    print(f"{architecture}: {clips} clips, scores spread by {spread:.1e}; job by {plan}", flush=True)
    print("  ms a clip: " + ", ".join(f"{name} {row[name]:.1f}" for name in ("predict", "first job", "job", "forward")))
    if "bfloat16" in plans_for(torch.device("cpu"), "bfloat16"):
        runner.run(precision="bfloat16")
        half_seconds, folder = timed(lambda: runner.run(precision="bfloat16"))
        deviation = json.loads(folder.summary_path.read_text("utf-8"))["deviation"]
        row["half"] = 1000 * half_seconds / clips
        print(f"  bfloat16 {row['half']:.1f} ms a clip, scores differ by {deviation:.1e}")
    else:
        print("  bfloat16: this processor has no instructions for it, so it is not tried")
    return row


def bars(architecture: str, row: dict[str, float]) -> list[tuple[str, float, bool]]:
    ratio, over = row["predict"] / row["job"], row["job"] / row["forward"]
    results = [
        (f"{architecture}: times as fast as predict, at least 1.4", ratio, ratio >= 1.4),
        (f"{architecture}: times the forward passes alone, at most 1.15", over, over <= 1.15),
        (f"{architecture}: scores differ by at most {EQUAL}", row["differ"], row["differ"] <= EQUAL),
        (f"{architecture}: seconds until a second job scores, at most 0.3", row["start"], row["start"] <= 0.3),
    ]
    if "half" in row and architecture == "resnet18":
        half = row["predict"] / row["half"]
        results.append((f"{architecture}: bfloat16, times as fast as predict, at least 2", half, half >= 2))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architecture", nargs="*", default=["resnet18", "efficientnet_b0"])
    parser.add_argument("--quick", action="store_true", help="16 recordings instead of 40")
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    arguments = parser.parse_args()
    results: list[tuple[str, float, bool]] = []
    with tempfile.TemporaryDirectory(prefix="bench-inference-") as name:
        files = make_recordings(Path(name) / "recordings", 16 if arguments.quick else 40)
        for architecture in arguments.architecture:
            results += bars(architecture, measure(architecture, Path(name), files))
    print()
    for what, value, met in results:
        print(f"  {'met   ' if met else 'MISSED'} {what}: {value:.3g}")
    if arguments.check and not all(met for *_, met in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
