"""A model that needs no network: its scores are the mean and the peak of a clip, so that tests know them.

It satisfies ml_runtime.models.protocol, as a user's own model would.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from ml_runtime.clips import extended_clips
from ml_runtime.models.protocol import ModelCard
from rpc.errors import DecodeFailed

CARD = ModelCard(
    name="Loudness", classes=("mean", "peak"), clip_seconds=1.0, sample_rate=None, weights="loudness 1", batch_size=4
)


@dataclass
class Loudness:
    """`before_batch` runs before each batch is scored; clips that start at `odd_seconds` cannot be prepared."""

    card: ModelCard = CARD
    before_batch: object = None
    odd_seconds: tuple[float, ...] = ()
    batches: list[int] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def clip_times(self, sound, overlap_seconds):
        return extended_clips(sound.duration_seconds, self.card.clip_seconds, overlap_seconds)

    def prepare(self, sound, start_seconds, end_seconds):
        self.threads.add(threading.current_thread().name)
        if start_seconds in self.odd_seconds:
            raise ZeroDivisionError("an odd clip")
        samples = np.abs(sound.read_stretch(start_seconds, end_seconds - start_seconds))
        if not np.isfinite(samples).all():
            raise DecodeFailed(f"{sound.path} holds samples that are no numbers.", path=sound.path)
        return [samples.mean(), samples.max()]

    def score(self, prepared):
        if self.before_batch is not None:
            self.before_batch()
        self.batches.append(len(prepared))
        return np.array(prepared, dtype=np.float32)


class OneModel:
    """A provider that always gives the same model."""

    def __init__(self, model) -> None:
        self.model = model

    def load(self, config, device, *, trust, token, tell):
        tell("loading the model")
        return self.model
