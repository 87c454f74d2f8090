"""Finding out on a job's first clips how its model runs fastest.

What lives here: trying plans and batch sizes, and keeping to the best. What must not: what a plan is (models/plans.py),
where choices are kept (choices.py).

A plan is taken only when its scores equal those of the plainest within EQUAL, for a whole batch and for a part of one.
Half a precision, which somebody has to ask for, is exempt; its deviation is told instead.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace

from ml_runtime.models.protocol import HasPlans, Model, Scores
from ml_runtime.pipeline.choices import Choice, Choices
from rpc.cancel import CancelToken
from rpc.errors import ConfigInvalid, RequestCancelled
from schemas.config import InferenceConfig

EQUAL = 1e-5
WORTH_BYTES = 60_000_000
"""Of sound: measuring takes as long as scoring 200 clips, so a small job is scored without."""

_LOG = logging.getLogger(__name__)
_SIZES = (4, 8, 16)
_USUAL_SIZE = 8
_ROUNDS = 2
_GAIN = 0.97
"""The usual size stays unless another needs less than this part of its time."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What may be chosen: as the config says, kept in `choices` under `key`. `worth_while` for a large job."""

    inference: InferenceConfig
    choices: Choices | None
    key: str
    worth_while: bool


class Tuned:
    """Scores as `model` does, by the plan and in batches of the size that are best."""

    def __init__(self, model: Model, tuning: Tuning, token: CancelToken, tell: Callable[[str], None]) -> None:
        self._model = model
        self._tuning = tuning
        self._token = token
        self._tell = tell
        self._choice = self._known()
        self._follows = False

    @property
    def choice(self) -> Choice | None:
        """How the model is run; None until the first clips are there to try it on."""
        return self._choice if self._follows else None

    @property
    def batch_size(self) -> int:
        """How many clips to collect for the next call of `score`."""
        return max(_SIZES) if self._choice is None else self._choice.batch_size

    def score(self, prepared: Sequence[Any]) -> Scores:
        """Raw scores of prepared clips, shape [clips, classes].

        Raises
        ------
        rpc.errors.ConfigInvalid
            The plan that the config demands cannot be followed.
        rpc.errors.RequestCancelled
        """
        if self._choice is None or not self._follows:
            self._choice = self._settle(prepared)
            self._follows = True
        size = self._choice.batch_size
        batches = [prepared[start : start + size] for start in range(0, len(prepared), size)]
        return np.concatenate([self._score(batch) for batch in batches])

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
        measured = self._tuning.worth_while or wanted.precision != "float32"
        return None if measured and len(plans) > 1 else Choice(plan="eager", batch_size=size)

    def _size(self) -> int:
        """How many clips are scored together unless something is found to be better."""
        wanted = self._tuning.inference.batch_size
        return self._model.card.batch_size if wanted == "auto" else wanted

    def _settle(self, prepared: Sequence[Any]) -> Choice:
        """Follow what is known, or measure."""
        if not isinstance(self._model, HasPlans):
            assert self._choice is not None
            return self._choice
        if self._choice is None:
            return self._measure(self._model, prepared)
        try:
            self._model.follow(self._choice.plan, prepared)
            self._model.forget_other_plans()
        except Exception as error:
            if self._tuning.inference.plan != "auto":
                raise _impossible(self._model.card.name, self._choice.plan, (), error) from error
            _LOG.warning("the plan %s can no longer be followed: %s", self._choice.plan, error)
            return self._measure(self._model, prepared)
        return self._choice

    def _measure(self, model: HasPlans, prepared: Sequence[Any]) -> Choice:
        self._tell("finding out how the model runs fastest")
        wanted = self._tuning.inference
        size = min(_USUAL_SIZE if wanted.batch_size == "auto" else wanted.batch_size, len(prepared))
        batch = prepared[:size]
        best = self._quickest(model, wanted.plan, batch)
        model.follow(best.plan, batch)
        model.forget_other_plans()
        if len(prepared) < _USUAL_SIZE:
            # Too few to tell, and no measure for other jobs.
            return replace(best, batch_size=self._size())
        best = self._best_size(best, prepared)
        _LOG.info("%s, %d clips at a time: %.1f ms a clip", best.plan, best.batch_size, best.milliseconds or 0)
        if self._tuning.choices is not None:
            self._tuning.choices.remember(self._tuning.key, best)
        return best

    def _quickest(self, model: HasPlans, wanted: str, batch: Sequence[Any]) -> Choice:
        plainest, *others = model.plans(self._tuning.inference.precision)
        model.follow(plainest, batch)
        expected = self._score(batch)
        deviations: dict[str, float | None] = {plainest: None}
        for plan in others if wanted == "auto" else (wanted,):
            deviation = self._deviation_of(model, plan, batch, expected)
            if deviation is not None:
                deviations[plan] = deviation
        if wanted in deviations:
            deviations = {wanted: deviations[wanted]}
        times = self._in_turns(model, tuple(deviations), batch)
        for plan, milliseconds in times.items():
            _LOG.info("%s: %.1f ms a clip, scores differ by %.1e", plan, milliseconds, deviations[plan] or 0)
        plan = min(times, key=times.__getitem__)
        return Choice(plan=plan, batch_size=len(batch), deviation=deviations[plan], milliseconds=times[plan])

    def _deviation_of(self, model: HasPlans, plan: str, batch: Sequence[Any], expected: Scores) -> float | None:
        """By how much the scores of `plan` differ; None where it cannot be taken."""
        try:
            model.follow(plan, batch)
            deviation = self._deviation(batch, expected)
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

    def _in_turns(self, model: HasPlans, plans: Sequence[str], batch: Sequence[Any]) -> dict[str, float]:
        """The milliseconds of a clip by each plan, at best; in turns, so that what else goes on hits all alike."""
        times = dict.fromkeys(plans, math.inf)
        for _ in range(_ROUNDS):
            for plan in plans:
                model.follow(plan, batch)
                times[plan] = min(times[plan], self._milliseconds(batch))
        return times

    def _deviation(self, batch: Sequence[Any], expected: Scores) -> float:
        """The largest difference, also in a part of the batch: a trace may hold for one size only."""
        part = len(batch) // 2 + 1
        differences = [np.abs(self._score(batch[:count]) - expected[:count]).max() for count in (len(batch), part)]
        return float(max(differences))

    def _milliseconds(self, batch: Sequence[Any]) -> float:
        """What a clip takes."""
        begun = time.perf_counter()
        self._score(batch)
        return 1000 * (time.perf_counter() - begun) / len(batch)

    def _best_size(self, best: Choice, prepared: Sequence[Any]) -> Choice:
        if self._tuning.inference.batch_size != "auto":
            return replace(best, batch_size=self._tuning.inference.batch_size)
        sizes = [size for size in _SIZES if size <= len(prepared)]
        times = dict.fromkeys(sizes, math.inf)
        for _ in range(_ROUNDS):
            for size in sizes:
                times[size] = min(times[size], self._milliseconds(prepared[:size]))
        size = min(times, key=times.__getitem__)
        if times[size] >= _GAIN * times.get(best.batch_size, math.inf):
            return best
        return replace(best, batch_size=size, milliseconds=times[size])


def _impossible(name: str, plan: str, plans: Sequence[str], error: Exception | None = None) -> ConfigInvalid:
    there_is = f" There is {', '.join(plans)}." if plans else ""
    reason = f" ({str(error).strip().splitlines()[0]})" if error is not None and str(error).strip() else ""
    return ConfigInvalid(f"$.inference.plan: {name} cannot be run by the plan {plan} here{reason}.{there_is}")
