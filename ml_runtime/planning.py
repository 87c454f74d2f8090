"""What a run works with, once its model is loaded: from config and model to classes, layout, threads and batches.

What lives here: those decisions, and the refusal of a config that does not fit its model. What must not: reading sound,
scoring, files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_runtime.clips import check_overlap
from ml_runtime.cpus import usable_cpus
from ml_runtime.models.names import nearest_names
from ml_runtime.models.protocol import Model, ModelCard
from ml_runtime.pipeline.ahead import Ahead
from ml_runtime.pipeline.choices import Choices, key_of
from ml_runtime.pipeline.readers import Readers
from ml_runtime.pipeline.tuning import Tuned, Tuning
from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid
from schemas.config import Config, InferenceConfig, OutputConfig
from survey.config import fingerprint, scoring_part
from survey.parts import Basis, Keep, Layout
from survey.room import Results, dense_layout

_BEST_KEPT = 3
_LARGEST_CHUNK = 16
_THREADS_AT_FIRST = 4
_MOST_THREADS = 16


@dataclass(frozen=True, slots=True)
class RunPlan:
    """`columns` are the classes kept, None for all of the model's."""

    config: Config
    model: Model
    basis: Basis
    keep: Keep
    columns: NDArray[np.intp] | None
    ahead: Ahead

    @property
    def results(self) -> Results:
        """What the run will write of each clip."""
        dense, classes = self.basis.layout == "dense", len(self.basis.classes)
        scores = classes if dense else min(self.keep.top_k or 0, classes)
        return Results(self.step_seconds, scores, dense=dense, formats=self.config.output.formats)

    @property
    def step_seconds(self) -> float:
        """From the start of a clip to that of the next."""
        return self.model.card.clip_seconds - self.config.inference.clip_overlap_seconds


def plan_run(config: Config, model: Model) -> RunPlan:
    """What a run of `config` with its `model` works with.

    Raises
    ------
    rpc.errors.ConfigInvalid
        Clips of this model cannot overlap so far, or it has no such class.
    """
    card = model.card
    check_overlap(card.clip_seconds, config.inference.clip_overlap_seconds)
    columns = _columns(config.inference, card)
    classes = card.classes if columns is None else tuple(card.classes[index] for index in columns)
    basis = Basis(_layout(config.output, classes), classes, fingerprint(config), scoring_part(config), card.weights)
    batch_size = card.batch_size if config.inference.batch_size == "auto" else config.inference.batch_size
    chunk = min(batch_size, _LARGEST_CHUNK)
    ahead = Ahead(_readers(config.inference, card), chunk, -(-batch_size // chunk))
    return RunPlan(config, model, basis, _keep(config.output, card), columns, ahead)


def tuned(
    plan: RunPlan, clips_left: float, choices: Choices | None, token: CancelToken, tell: Callable[[str], None]
) -> Tuned:
    """The model, run as it runs fastest. Raises ConfigInvalid where the plan that the config demands is not there."""
    inference = plan.config.inference
    key = key_of(plan.model.card, inference.precision, inference.plan, inference.batch_size)
    return Tuned(plan.model, Tuning(inference, choices, key, clips_left), token, tell)


def fit_readers(plan: RunPlan, milliseconds: float | None) -> None:
    """Let as many threads prepare as keep up with the model, where the config leaves that open."""
    if plan.config.inference.workers == "auto" and milliseconds is not None:
        plan.ahead.readers.fit(milliseconds)


def _columns(inference: InferenceConfig, card: ModelCard) -> NDArray[np.intp] | None:
    """The model's classes that the config keeps, in the model's order; None for all."""
    if inference.classes is None:
        return None
    unknown = [name for name in inference.classes if name not in card.classes]
    if unknown:
        nearest = nearest_names(unknown[0], card.classes)
        hint = f"Did you mean {' or '.join(nearest)}?" if nearest else None
        raise ConfigInvalid(f"$.inference.classes: {card.name} has no class {unknown[0]!r}.", hint=hint)
    wanted = set(inference.classes)
    return np.array([index for index, name in enumerate(card.classes) if name in wanted], dtype=np.intp)


def _layout(output: OutputConfig, classes: Sequence[str]) -> Layout:
    return "dense" if dense_layout(output, len(classes)) else "sparse"


def _keep(output: OutputConfig, card: ModelCard) -> Keep:
    if output.threshold is None and output.top_k is None:
        return Keep(card.recommended_threshold, _BEST_KEPT)
    return Keep(output.threshold, output.top_k)


def _readers(inference: InferenceConfig, card: ModelCard) -> Readers:
    if not card.thread_safe:
        return Readers(1)
    if inference.workers != "auto":
        return Readers(max(1, inference.workers))
    most = min(usable_cpus(), _MOST_THREADS)
    return Readers(min(_THREADS_AT_FIRST, most), most)
