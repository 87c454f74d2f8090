"""Whole jobs side by side with OpenSoundscape's `predict`, with the forward passes alone, and twice on a warm worker.

Checkpoints with random weights and one-minute recordings of noise, made here. Its parts, each of a few minutes:

options  the batch size and number of workers with which `predict` is quickest, on a few recordings
sides    half of the forward passes, half of `predict`, a whole job, the other halves: what drifts on the machine hits
         all alike. The job runs as the worker runs it, from config to predictions.csv, its plan known
first    a job with nothing remembered, and the same once more
warm     through a real sidecar's pipe: how long after the request a second job on the warm worker scores

--place keeps what is made, so that parts can be run one at a time. Prints a table; with --check exits 1 where a bar is
missed. Runs under the ML environment's interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
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

from tools.paths import ML, VENV, python_of  # noqa: E402

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
from schemas.env import EnvironmentChoice  # noqa: E402
from schemas.jobs import JobReport, RunParams  # noqa: E402
from survey.job_folder import JobFolder  # noqa: E402
from survey.ledger import Ledger, Started, moment  # noqa: E402
from tools.demo.client import SidecarClient  # noqa: E402

RATE, MINUTE, CLIP_SECONDS = 32000, 60, 3.0
CLASSES = [f"species {number}" for number in range(50)]
SHAPE = (3, 257, 374)
KEYS = ["file", "start_time", "end_time"]
EQUAL = 1e-5
PREDICT_OPTIONS = ((1, 0), (4, 0), (8, 0), (8, 1), (8, 2))
PARTS = ("options", "sides", "first", "warm")

Row = dict[str, Any]


def make_recordings(folder: Path, count: int) -> list[str]:
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number:02}.wav"
        samples = generator.normal(0, 0.05, RATE * MINUTE).astype(np.float32)
        if not path.exists():
            soundfile.write(path, samples, RATE, subtype="PCM_16")
    return [str(path) for path in sorted(folder.iterdir())][:count]


def make_checkpoint(folder: Path, architecture: str) -> Path:
    """Batch normalisation is given statistics at random: with those of a new network all scores are nearly equal."""
    path = folder / f"{architecture}.pt"
    if path.exists():
        return path
    torch.manual_seed(0)
    model = CNN(
        architecture=architecture, classes=CLASSES, sample_duration=CLIP_SECONDS, sample_rate=RATE, channels=3,
        arch_weights=None,
    )  # fmt: skip
    model.network.train()
    with torch.no_grad():
        for _ in range(3):
            model.network(torch.randn(4, *SHAPE))
    model.save(path)
    return path


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


def predict(model: Any, files: list[str], options: dict[str, int]) -> pd.DataFrame:
    return model.predict(files, progress_bar=False, **options)


class Jobs:
    """Jobs of one model, as one warm worker runs them."""

    def __init__(self, place: Path, checkpoint: Path) -> None:
        self._place, self._model = place, CheckpointModel(path=str(checkpoint))
        self._provider, self._choices = ModelProvider(), Choices(place / "cache")
        self._provider.load(self._model, "auto", trust=False, token=CancelToken(), tell=lambda message: None)

    def run(self, files: list[str], **inference: Any) -> JobFolder:
        """A whole job: from the config to predictions.csv."""
        folder = JobFolder.create(self._config(files, **inference), datetime.now(UTC))
        run_job(folder, self._provider, CancelToken(), lambda progress: None, choices=self._choices)
        return folder

    def _config(self, files: list[str], **inference: Any) -> Config:
        return config_of(self._model, self._place, files, **inference)


def config_of(model: CheckpointModel, place: Path, files: list[str], **inference: Any) -> Config:
    return Config(
        model=model,
        input=InputConfig(files=tuple(files)),
        output=OutputConfig(folder=str(place / "jobs")),
        inference=InferenceConfig(**inference),
    )


def summary_of(folder: JobFolder) -> Row:
    summary: Row = json.loads(folder.summary_path.read_text("utf-8"))
    return summary


class Forward:
    """The forward passes alone, on all processors, with nothing else to do."""

    def __init__(self, checkpoint: Path, plan: str, batch_size: int) -> None:
        network = load_reference(checkpoint).network.eval()
        torch.set_num_threads(usable_cpus())
        with torch.inference_mode():
            self._batch = torch.randn(batch_size, 1, *SHAPE[1:])
            setting = Setting(torch.device("cpu"), usable_cpus(), SHAPE[0])
            self._forward = make_plan(plan, network, self._batch, setting)
            for _ in range(3):
                self._forward(self._batch)

    def seconds(self, clips: int) -> float:
        """What so many clips take."""
        rounds = max(1, clips // len(self._batch))
        with torch.inference_mode():
            seconds, _ = timed(lambda: [self._forward(self._batch) for _ in range(rounds)])
        return seconds * clips / (rounds * len(self._batch))


class Bench:
    """The parts, for one architecture; what they find is kept in the file results.json of `place`."""

    def __init__(self, place: Path, architecture: str, minutes: int) -> None:
        self.place = place
        self.name = architecture
        self.files = make_recordings(place / "recordings", minutes)
        self.checkpoint = make_checkpoint(place, architecture)
        self._results = place / "results.json"

    @property
    def row(self) -> Row:
        """What was found so far."""
        return self._all().get(self.name, {})

    def keep(self, **found: Any) -> None:
        known = self._all()
        known[self.name] = {**known.get(self.name, {}), **found}
        self._results.write_text(json.dumps(known, indent=1), "utf-8")
        print(f"{self.name}: " + ", ".join(f"{name} {_shown(value)}" for name, value in found.items()), flush=True)

    def _all(self) -> dict[str, Row]:
        return json.loads(self._results.read_text("utf-8")) if self._results.exists() else {}

    def options(self) -> None:
        model, files = load_reference(self.checkpoint), self.files[:4]
        predict(model, files[:1], {"batch_size": 1, "num_workers": 0})
        tried = {}
        for batch_size, workers in PREDICT_OPTIONS:
            chosen = {"batch_size": batch_size, "num_workers": workers}
            seconds, scores = timed(lambda chosen=chosen: predict(model, files, chosen))
            tried[batch_size, workers] = 1000 * seconds / len(scores)
            print(f"  predict, {batch_size} clips, {workers} workers: {tried[batch_size, workers]:.1f} ms", flush=True)
        batch_size, workers = min(tried, key=tried.__getitem__)
        self.keep(options={"batch_size": batch_size, "num_workers": workers})

    def sides(self) -> None:
        jobs = Jobs(self.place, self.checkpoint)
        plan = summary_of(jobs.run(self.files[:1]))
        if plan["plan"] == "eager":
            jobs.run(self.files)
        reference, options = load_reference(self.checkpoint), self.row["options"]
        chosen = summary_of(jobs.run(self.files[:1]))
        half, clips = len(self.files) // 2, int(MINUTE / CLIP_SECONDS) * len(self.files)
        forward = Forward(self.checkpoint, chosen["plan"], chosen["batchSize"])
        predict(reference, self.files[:1], options)

        alone = forward.seconds(clips // 2)
        seconds, first = timed(lambda: predict(reference, self.files[:half], options))
        ours, folder = timed(lambda: jobs.run(self.files))
        more, second = timed(lambda: predict(reference, self.files[half:], options))
        alone += forward.seconds(clips // 2)

        theirs = pd.concat([first, second]).to_numpy()
        scores = pd.read_csv(folder.predictions_path).set_index(KEYS).to_numpy()
        self.keep(
            plan=chosen["plan"],
            batchSize=chosen["batchSize"],
            predict=1000 * (seconds + more) / clips,
            job=1000 * ours / clips,
            forward=1000 * alone / clips,
            differ=float(np.abs(scores - theirs).max()),
            spread=float(scores.std(axis=0).mean()),
        )

    def first(self) -> None:
        shutil.rmtree(self.place / "cache", ignore_errors=True)
        jobs = Jobs(self.place, self.checkpoint)
        clips = int(MINUTE / CLIP_SECONDS) * len(self.files)
        seconds, _ = timed(lambda: jobs.run(self.files))
        again, _ = timed(lambda: jobs.run(self.files))
        self.keep(firstJob=1000 * seconds / clips, laterJob=1000 * again / clips, measuringSeconds=seconds - again)

    def half(self) -> None:
        """Only where the processor calculates in bfloat16."""
        jobs = Jobs(self.place, self.checkpoint)
        clips = int(MINUTE / CLIP_SECONDS) * len(self.files)
        jobs.run(self.files, precision="bfloat16")
        seconds, folder = timed(lambda: jobs.run(self.files, precision="bfloat16"))
        self.keep(bfloat16=1000 * seconds / clips, deviation=summary_of(folder)["deviation"])

    def warm(self) -> None:
        """The first job is cold; of those after it the slowest counts."""
        command: list[str | Path] = [python_of(VENV), "-m", "sidecar"]
        command += ["--state-folder", self.place / "state", "--cache-folder", self.place / "cache"]
        with SidecarClient(command, cwd=ROOT) as sidecar:
            told = [self._begin_of_job(sidecar) for _ in range(4)][1:]
        self.keep(opened=max(opened for opened, _ in told), scored=max(scored for _, scored in told))

    def _begin_of_job(self, sidecar: SidecarClient) -> tuple[float, float]:
        """Seconds after the request until the first recording is opened, and until its first clips are scored."""
        config = config_of(CheckpointModel(path=str(self.checkpoint)), self.place, self.files[:2])
        params = RunParams(config=config, environment=EnvironmentChoice(python=str(python_of(ML))))
        scored: list[float] = []

        def hear(progress: Progress) -> None:
            if progress.done and not scored:
                scored.append(time.time() - asked)

        asked = time.time()
        report = sidecar.call("inference/run", params, JobReport, hear)
        events = Ledger(JobFolder.open(report.job_folder).ledger_path).read()
        opened = next(moment(event.at) for event in events if isinstance(event, Started))
        return opened.timestamp() - asked, scored[0]


def bars(name: str, row: Row) -> list[tuple[str, float, bool]]:
    results = []
    if "job" in row:
        ratio, over = row["predict"] / row["job"], row["job"] / row["forward"]
        results += [
            (f"{name}: times as fast as predict, at least 1.4", ratio, ratio >= 1.4),
            (f"{name}: times the forward passes alone, at most 1.15", over, over <= 1.15),
            (f"{name}: scores differ by at most {EQUAL}", row["differ"], row["differ"] <= EQUAL),
        ]
    if "opened" in row:
        results.append((f"{name}: seconds until a second job scores, at most 0.3", row["opened"], row["opened"] <= 0.3))
    if "bfloat16" in row and name == "resnet18":
        half = row["predict"] / row["bfloat16"]
        results.append((f"{name}: bfloat16, times as fast as predict, at least 2", half, half >= 2))
    return results


def run_parts(place: Path, options: argparse.Namespace) -> list[tuple[str, float, bool]]:
    results = []
    for architecture in options.architecture:
        bench = Bench(place, architecture, options.minutes)
        for part in options.part or PARTS:
            getattr(bench, part)()
        if not options.part and "bfloat16" in plans_for(torch.device("cpu"), "bfloat16"):
            bench.half()
        results += bars(architecture, bench.row)
    return results


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", nargs="*", default=["resnet18", "efficientnet_b0"])
    parser.add_argument("--part", action="append", choices=(*PARTS, "half"), help="only this part")
    parser.add_argument("--place", type=Path, help="a folder to keep everything in")
    parser.add_argument("--minutes", type=int, default=40, help="how many recordings of a minute")
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    options = parser.parse_args()
    if options.place is not None:
        options.place.mkdir(parents=True, exist_ok=True)
        results = run_parts(options.place, options)
    else:
        with tempfile.TemporaryDirectory(prefix="bench-inference-") as name:
            results = run_parts(Path(name), options)
    print()
    for what, value, met in results:
        print(f"  {'met   ' if met else 'MISSED'} {what}: {value:.3g}")
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        print("  bfloat16 is not measured: this processor has no instructions for it")
    if options.check and not all(met for *_, met in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
