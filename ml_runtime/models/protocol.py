"""What every model offers to the pipeline, whatever library it comes from.

What lives here: the Model protocol and the activation of scores. What must not: a model, or an import of torch.

A model turns a stretch of sound into one score for each of its classes. Preparing a clip (reading, spectrogram)
and scoring prepared clips are separate, because the first runs ahead in threads and the second in batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ml_runtime.clips import ClipTimes
from ml_runtime.sound import Sound

Scores = NDArray[np.floating[Any]]
Activation = Literal["none", "sigmoid", "softmax"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is told of a model.

    `clip_seconds` is the length of its clips, `sample_rate` what it hears (Hz; None: as recorded). `weights` is
    equal for two models exactly when their scores are: a hash of the weights. `recommended_threshold` is the
    score from which its authors count a detection. `files` are those it was made from, `notes` warnings met while
    loading.
    """

    name: str
    classes: tuple[str, ...]
    clip_seconds: float
    sample_rate: int | None
    weights: str
    device: str = "cpu"
    batch_size: int = 8
    recommended_threshold: float | None = None
    thread_safe: bool = True
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)


class Model(Protocol):
    """A loaded model. Any thread may prepare; one thread at a time scores."""

    @property
    def card(self) -> ModelCard:
        """What this model is."""

    def clip_times(self, sound: Sound, overlap_seconds: float) -> ClipTimes:
        """The clips of a recording; raises DecodeFailed when it is too short for any."""

    def prepare(self, sound: Sound, start_seconds: float, end_seconds: float) -> Any:
        """Everything that comes before the model proper, for one clip.

        Raises
        ------
        rpc.errors.DecodeFailed
            There is no sound to prepare in this clip.
        """

    def score(self, prepared: Sequence[Any]) -> Scores:
        """Raw scores of prepared clips, shape [clips, classes]."""


@runtime_checkable
class PreparesTogether(Protocol):
    """A model that prepares neighbouring clips faster together than one by one."""

    def prepare_together(self, sound: Sound, starts: Sequence[float], ends: Sequence[float]) -> Sequence[Any] | None:
        """As `prepare`, for each of some clips in order; None where it cannot. An error is not counted against any."""


@runtime_checkable
class HasPlans(Protocol):
    """A model whose network can be run in several ways, with equal scores at unequal speed."""

    def plans(self, precision: str) -> Sequence[str]:
        """The ways that there are here; the first is the plainest, by which the others are judged."""

    def follow(self, plan: str, examples: Sequence[Any]) -> None:
        """Score by `plan` from now on; `examples` are prepared clips. Raises anything where that fails."""

    def forget_other_plans(self) -> None:
        """Give back what was made to try plans that are not followed now."""


def activate(scores: Scores, activation: Activation) -> Scores:
    """Scores after the activation: `sigmoid` each class by itself, `softmax` over the classes of a clip."""
    if activation == "none":
        return scores
    if activation == "sigmoid":
        # Of the two forms of the sigmoid each overflows at one end.
        exponential = np.exp(-np.abs(scores))
        activated = np.where(scores >= 0, 1 / (1 + exponential), exponential / (1 + exponential))
    else:
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        activated = powers / powers.sum(axis=1, keepdims=True)
    result: Scores = activated.astype(scores.dtype)
    return result
