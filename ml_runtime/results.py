"""What a finished run leaves in its job folder beside the parts: tables, summary, environment.

What lives here: writing those files. What must not: scoring, or the format of tables (survey.export).
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from ml_runtime.models.protocol import ModelCard
from schemas.config import Config
from schemas.jobs import Failure, OutputFile
from survey import atomic, export
from survey.job_folder import JobFolder
from survey.parts import Basis, Keep, Part
from survey.provenance import Provenance

_PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "opensoundscape",
    "bioacoustics-model-zoo",
    "onnxruntime",
    "ai-edge-litert",
    "tensorflow",
    "timm",
    "transformers",
    "librosa",
    "soxr",
    "soundfile",
    "numpy",
    "scipy",
    "PyWavelets",
    "duckdb",
)


class EnvironmentReport(Provenance, kw_only=True, frozen=True, rename="camel"):
    """environment.json: what the scores were made with.

    `repaired` names packages that were made importable by compat.py.
    """

    repaired: tuple[str, ...]
    reader_threads: int
    sample_rate: int | None
    clip_seconds: float
    notes: tuple[str, ...]


class Summary(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """summary.json: the job in numbers, over all its runs.

    `threshold` and `top_k` are those that the sparse layout kept scores by; null in a dense job. `clips` and
    `audio_seconds` count what the parts hold, `unreadable_clips` among them have no score. `plan` and `batch_size` are
    how the network was run, null when nothing was left to score; `deviation` is by how much scores differed from those
    of the plan "eager", at most, where that was measured.
    """

    name: str
    model: str
    classes: int
    layout: Literal["dense", "sparse"]
    threshold: float | None
    top_k: int | None
    clip_seconds: float
    clip_overlap_seconds: float
    activation: str
    precision: str
    plan: str | None
    batch_size: int | None
    deviation: float | None
    files_total: int
    files_done: int
    files_failed: int
    files_skipped: int
    clips: int
    unreadable_clips: int
    audio_seconds: float
    elapsed_seconds: float
    notes: tuple[str, ...]


def write_tables(
    folder: JobFolder, config: Config, parts: Sequence[Part], basis: Basis, order: Sequence[str]
) -> tuple[OutputFile, ...]:
    """Write the forms that the config asks for, recordings in the order of the input."""
    outputs = []
    for wanted in dict.fromkeys(config.output.formats):
        if wanted == "csv":
            path, write = folder.predictions_path, export.write_csv
        else:
            path, write = folder.predictions_parquet_path, export.write_parquet
        write(parts, basis, order, path)
        outputs.append(OutputFile(format=wanted, path=str(path)))
    return tuple(outputs)


def write_failures(folder: JobFolder, failures: Sequence[Failure]) -> None:
    """Write failures.csv, also when there are none: an old one must not stay."""
    export.write_failures(failures, folder.failures_path)


def write_summary(folder: JobFolder, summary: Summary) -> None:
    """Write summary.json."""
    atomic.write_bytes(folder.summary_path, _pretty(summary))


def made_with(card: ModelCard, basis: Basis, batch_size: int, plan: str = "eager") -> Provenance:
    """What the scores of a run are made with."""
    return Provenance(
        model=card.name,
        weights=card.weights,
        fingerprint=basis.fingerprint,
        device=card.device,
        plan=plan,
        batch_size=batch_size,
        python=sys.version.split()[0],
        platform=platform.platform(),
        packages=installed_packages() | card.versions,
    )


def write_environment(
    folder: JobFolder, card: ModelCard, made: Provenance, repaired: Sequence[str], threads: int
) -> None:
    """Write environment.json."""
    report = EnvironmentReport(
        **msgspec.structs.asdict(made),
        repaired=tuple(repaired),
        reader_threads=threads,
        sample_rate=card.sample_rate,
        clip_seconds=card.clip_seconds,
        notes=card.notes,
    )
    atomic.write_bytes(folder.environment_path, _pretty(report))


def installed_packages() -> dict[str, str]:
    """The versions of the packages that scores depend on, as installed."""
    return {name: version for name in _PACKAGES if (version := _version(name)) is not None}


def kept_by(keep: Keep, layout: str) -> tuple[float | None, int | None]:
    """Threshold and top k that a job of this layout keeps its scores by."""
    return (keep.threshold, keep.top_k) if layout == "sparse" else (None, None)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pretty(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
