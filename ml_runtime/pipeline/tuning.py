"""Finding out on a job's first clips how its model runs fastest.

What lives here: trying plans and batch sizes, and keeping to the best. What must not: what a plan is (models/plans.py),
where choices are kept (choices.py), how many threads prepare (readers.py, from what is measured here).

A plan is taken only when its scores equal those of the plainest within EQUAL, for a whole batch and for a part of one.
Half a precision, which somebody has to ask for, is exempt; its deviation is told instead.

Measuring costs about as much as scoring CLIPS_TRIED clips, and making the plans some seconds. It is done where the rest
of the job is likely to win that back, and never again for the same model on the same machine.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace

from ml_runtime.models.protocol import HasPlans, Model, Scores
from ml_runtime.pipeline.choices import Choice, Choices
from ml_runtime.pipeline.trial import Trial
from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, RequestCancelled
from schemas.config import InferenceConfig

EQUAL = 1e-5
CLIPS_TRIED = 60
_SECONDS_TO_MAKE = 6.0
_LIKELY_GAIN = 0.3
"""The part of eager's time that the best plan usually saves."""

_LOG = logging.getLogger(__name__)
_SIZES = {"cpu": (4, 8, 16)}
_SIZES_ON_GPU = (16, 32, 64)
_CLOSE = 1.15
"""Plans within this of the quickest are run once more before one is chosen."""
_GAIN = 0.97
"""The usual size stays unless another needs less than this part of its time."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What may be chosen: as the config says, kept in `choices` under `key`. `clips_left` to score in this job."""

    inference: InferenceConfig
    choices: Choices | None
    key: str
    clips_left: float


class Tuned:
    """Scores as `model` does, by the plan and in batches of the size that are best."""

    def __init__(self, model: Model, tuning: Tuning, token: CancelToken, tell: Callable[[str], None]) -> None:
        self._model = model
        self._tuning = tuning
        self._token = token
        self._tell = tell
        self._sizes = _SIZES.get(model.card.device, _SIZES_ON_GPU)
        self._choice = self._known()
        self._follows = False
        self._milliseconds: float | None = None

    @property
    def choice(self) -> Choice | None:
        """How the model is run; None until the first clips are there to try it on."""
        return self._choice if self._follows else None

    @property
    def milliseconds(self) -> float | None:
        """What scoring a clip takes; None before the first."""
        return self._milliseconds

    @property
    def batch_size(self) -> int:
        """How many clips to collect for the next call of `score`."""
        return max(self._sizes) if self._choice is None else self._choice.batch_size

    def score(self, prepared: Sequence[Any]) -> Scores:
        """Raw scores of prepared clips, shape [clips, classes].

        Raises
        ------
        rpc.errors.ConfigInvalid
            The plan that the config demands cannot be followed.
        rpc.errors.RequestCancelled
        """
        if not self._follows:
            return np.concatenate(self._begin(prepared))
        assert self._choice is not None
        return np.concatenate(self._in_batches(prepared, self._choice.batch_size))

    def _begin(self, prepared: Sequence[Any]) -> list[Scores]:
        """Follow what is known, or find out; the scores of the first clips."""
        scores = None
        if isinstance(self._model, HasPlans):
            if self._choice is None or not self._can_follow(self._model, self._choice.plan, prepared):
                scores = self._measure(self._model, prepared)
            self._model.forget_other_plans()
        assert self._choice is not None
        begun = time.perf_counter()
        if scores is None:
            scores = self._in_batches(prepared, self._choice.batch_size)
            self._milliseconds = 1000 * (time.perf_counter() - begun) / len(prepared)
        self._milliseconds = self._choice.milliseconds or self._milliseconds
        self._follows = True
        return scores

    def _in_batches(self, prepared: Sequence[Any], size: int) -> list[Scores]:
        return [self._score(prepared[start : start + size]) for start in range(0, len(prepared), size)]

    def _score(self, batch: Sequence[Any]) -> Scores:
        self._token.raise_if_cancelled()
        return self._model.score(batch)

    def _known(self) -> Choice | None:
        """What need not be measured."""
        wanted, card, size = self._tuning.inference, self._model.card, self._size()
        if not isinstance(self._model, HasPlans) or wanted.plan == "eager":
            if wanted.plan not in ("auto", "eager"):
                raise _impossible(card.name, wanted.plan, ("eager",))
            return Choice(plan="eager", batch_size=size)
        plans = self._model.plans(wanted.precision)
        if wanted.plan != "auto":
            if wanted.plan not in plans:
                raise _impossible(card.name, wanted.plan, plans)
            return None if wanted.plan == wanted.precision else Choice(plan=wanted.plan, batch_size=size)
        if self._tuning.choices is not None:
            remembered = self._tuning.choices.recall(self._tuning.key)
            if remembered is not None and remembered.plan in plans:
                return remembered
        small = self._tuning.clips_left <= CLIPS_TRIED and wanted.precision not in plans
        decided = len(plans) == 1 and wanted.batch_size != "auto"
        return Choice(plan="eager", batch_size=size) if small or decided else None

    def _size(self) -> int:
        """How many clips are scored together unless something is found to be better."""
        wanted = self._tuning.inference.batch_size
        return self._model.card.batch_size if wanted == "auto" else wanted

    def _can_follow(self, model: HasPlans, plan: str, prepared: Sequence[Any]) -> bool:
        try:
            model.follow(plan, prepared)
        except Exception as error:
            if self._tuning.inference.plan != "auto":
                raise _impossible(self._model.card.name, plan, (), error) from error
            _LOG.warning("the plan %s can no longer be followed: %s", plan, error)
            return False
        return True

    def _measure(self, model: HasPlans, prepared: Sequence[Any]) -> list[Scores]:
        """Choose; the scores of `prepared` by what is chosen."""
        usual = min(self._size(), len(prepared))
        trial = Trial(model, prepared, self._score)
        plainest, *others = model.plans(self._tuning.inference.precision)
        trial.run(plainest, usual // 2 + 1)
        trial.run(plainest, usual)
        asked = self._tuning.inference.precision in others
        milliseconds = trial.milliseconds(plainest, usual)
        if not asked and not self._pays(milliseconds, len(prepared)):
            self._choice = Choice(plan=plainest, batch_size=self._size(), milliseconds=milliseconds)
            return trial.scores_by(plainest, self._size())
        self._tell("finding out how the model runs fastest")
        best = self._best_plan(trial, plainest, others, usual)
        if len(prepared) < max(self._sizes):
            # Too few to tell, and no measure for other jobs.
            self._choice = replace(best, batch_size=self._size())
        else:
            self._choice = self._best_size(trial, best)
            _LOG.info("%s, %d clips at a time", self._choice.plan, self._choice.batch_size)
            if self._tuning.choices is not None:
                self._tuning.choices.remember(self._tuning.key, self._choice)
        return trial.scores_by(self._choice.plan, self._choice.batch_size)

    def _pays(self, milliseconds: float, prepared: int) -> bool:
        """Whether the rest of the job is likely to win back what measuring costs."""
        cost = CLIPS_TRIED * milliseconds / 1000 + _SECONDS_TO_MAKE
        return _LIKELY_GAIN * (self._tuning.clips_left - prepared) * milliseconds / 1000 > cost

    def _best_plan(self, trial: Trial, plainest: str, others: Sequence[str], count: int) -> Choice:
        wanted = self._tuning.inference.plan
        deviations: dict[str, float | None] = {plainest: None}
        for plan in others if wanted == "auto" else (wanted,):
            deviation = self._deviation_of(plan, trial, plainest, count)
            if deviation is not None:
                deviations[plan] = deviation
        chosen = [wanted] if wanted in deviations else list(deviations)
        quickest = min(trial.milliseconds(plan, count) for plan in chosen)
        close = [plan for plan in chosen if trial.milliseconds(plan, count) <= _CLOSE * quickest]
        for plan in close if len(close) > 1 else ():
            trial.run(plan, count)
        for plan, deviation in deviations.items():
            _LOG.info(
                "%s: %.1f ms a clip, scores differ by %.1e", plan, trial.milliseconds(plan, count), deviation or 0
            )
        best = min(chosen, key=lambda plan: trial.milliseconds(plan, count))
        milliseconds = trial.milliseconds(best, count)
        return Choice(plan=best, batch_size=count, deviation=deviations[best], milliseconds=milliseconds)

    def _deviation_of(self, plan: str, trial: Trial, plainest: str, count: int) -> float | None:
        """By how much the scores of `plan` differ; None where it cannot be taken.

        Also in a part of the batch: a trace may hold for one size only.
        """
        try:
            for part in (count // 2 + 1, count):
                trial.run(plan, part)
            deviation = max(trial.deviation(plan, plainest, part) for part in (count // 2 + 1, count))
        except RequestCancelled:
            raise
        # A network may do what torch cannot trace or export; that costs speed, not scores.
        except Exception as error:  # noqa: BLE001
            _LOG.info("the plan %s cannot be followed: %s", plan, str(error).strip().split("\n")[0])
            return None
        if plan != self._tuning.inference.precision and not deviation <= EQUAL:
            _LOG.info("the plan %s is not taken: scores differ by %.1e", plan, deviation)
            return None
        return deviation

    def _best_size(self, trial: Trial, best: Choice) -> Choice:
        if self._tuning.inference.batch_size != "auto":
            return replace(best, batch_size=self._tuning.inference.batch_size)
        for _ in range(2):
            for size in self._sizes:
                trial.run(best.plan, size)
        size = min(self._sizes, key=lambda size: trial.milliseconds(best.plan, size))
        milliseconds = trial.milliseconds(best.plan, size)
        if milliseconds >= _GAIN * trial.milliseconds(best.plan, best.batch_size):
            return best
        return replace(best, batch_size=size, milliseconds=milliseconds)


def _impossible(name: str, plan: str, plans: Sequence[str], error: Exception | None = None) -> ConfigInvalid:
    there_is = f" There is {', '.join(plans)}." if plans else ""
    reason = f" ({str(error).strip().splitlines()[0]})" if error is not None and str(error).strip() else ""
    return ConfigInvalid(f"$.inference.plan: {name} cannot be run by the plan {plan} here{reason}.{there_is}")
