"""Which plan and batch size were quickest, remembered by model and machine.

What lives here: the file of choices, and what tells two machines apart. What must not: measuring (tuning.py).

The file is small, and may be thrown away at any time: then it is measured again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ml_runtime.cpus import usable_cpus
from ml_runtime.models.protocol import ModelCard
from rpc.errors import RequestFailed
from survey import atomic

_FILE = "inference-plans.json"
_MOST = 200
_PACKAGES = ("torch", "onnx", "onnxruntime", "opensoundscape")


class Choice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a model runs best. `deviation` is the largest difference from eager's scores, None where it is eager.

    `milliseconds` is what a clip took.
    """

    plan: str
    batch_size: int
    deviation: float | None = None
    milliseconds: float | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices in `folder`. What cannot be read or written is measured again; it stops no job."""

    folder: Path

    def recall(self, key: str) -> Choice | None:
        """What was chosen under `key`."""
        return self._read().get(key)

    def remember(self, key: str, choice: Choice) -> None:
        """Keep `choice` for the next job, the oldest being forgotten once they are many."""
        known = self._read()
        known.pop(key, None)
        newest = dict(list({**known, key: choice}.items())[-_MOST:])
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(self.folder / _FILE, msgspec.json.encode(newest))
        except (OSError, RequestFailed):
            return

    def _read(self) -> dict[str, Choice]:
        try:
            return msgspec.json.decode((self.folder / _FILE).read_bytes(), type=dict[str, Choice])
        except (OSError, msgspec.MsgspecError):
            return {}


def key_of(card: ModelCard, precision: str, wanted_plan: str, wanted_batch: int | str) -> str:
    """What two jobs must have in common to run best in the same way: model, machine, packages and what was asked."""
    facts = [
        card.weights, card.clip_seconds, card.sample_rate, card.device, precision, wanted_plan, wanted_batch,
        _processor(), usable_cpus(), [_version(name) for name in _PACKAGES],
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()


def _processor() -> str:
    """The processor's name and what it can do, as far as the system tells."""
    lines: dict[str, str] = {}
    if os.path.exists("/proc/cpuinfo"):  # noqa: PTH110
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            lines.setdefault(name.strip(), value.strip())
    known = [lines[name] for name in ("model name", "flags", "Features") if name in lines]
    return " ".join(known) or f"{platform.processor()} {platform.machine()}"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
