"""Making and running jobs in a test's own process."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ml_runtime.models.registry import ModelProvider
from ml_runtime.run import run_job
from rpc.call import Progress
from rpc.cancel import CancelToken
from schemas.config import Config, InferenceConfig, InputConfig, ModelConfig, OutputConfig, RibbitModel
from schemas.worker import JobOutcome
from survey.job_folder import JobFolder

NOW = datetime(2024, 5, 12, 5, 30, tzinfo=UTC)
ANY_MODEL = RibbitModel(class_name="any", signal_band_hz=(2000.0, 2500.0), pulse_rate_hz=(13.0, 22.0))
KEYS = ["file", "start_time", "end_time"]


def make_job(
    output: Path,
    recordings: Path | Sequence[Path],
    model: ModelConfig = ANY_MODEL,
    *,
    formats: tuple = ("csv",),
    layout: str = "auto",
    threshold: float | None = None,
    top_k: int | None = None,
    **inference,
) -> JobFolder:
    """A new job folder below `output`; `recordings` is a folder or files."""
    if isinstance(recordings, Path):
        chosen = InputConfig(folders=(str(recordings),))
    else:
        chosen = InputConfig(files=tuple(str(path) for path in recordings))
    config = Config(
        model=model,
        input=chosen,
        output=OutputConfig(folder=str(output), formats=formats, layout=layout, threshold=threshold, top_k=top_k),
        inference=InferenceConfig(**inference),
    )
    return JobFolder.create(config, NOW)


def run(
    folder: JobFolder,
    provider=None,
    *,
    token: CancelToken | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    trust: bool = False,
) -> JobOutcome:
    return run_job(folder, provider or ModelProvider(), token or CancelToken(), on_progress, trust=trust)


def predictions(folder: JobFolder) -> pd.DataFrame:
    """predictions.csv, indexed as OpenSoundscape's predict() indexes."""
    return pd.read_csv(folder.predictions_path).set_index(KEYS)


def failures(folder: JobFolder) -> dict[str, tuple[int, str]]:
    """failures.csv: file name -> code, message."""
    with folder.failures_path.open(newline="", encoding="utf-8") as stream:
        return {Path(row["file"]).name: (int(row["code"]), row["message"]) for row in csv.DictReader(stream)}


def ledger(folder: JobFolder) -> list[tuple[str, str]]:
    """The ledger as (event, file name)."""
    lines = [json.loads(line) for line in folder.ledger_path.read_text("utf-8").splitlines()]
    return [(line["event"], Path(line["recording"]["file"]).name) for line in lines]
