"""Batching: prepared clips go through the model together, and come back in order.

What lives here: collecting clips, the forward pass, the activation and the choice of classes. What must not: threads,
files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_runtime.models.protocol import Activation, Scores, activate
from ml_runtime.pipeline.ahead import Ended, Event, Opened, Prepared, Unreadable
from ml_runtime.pipeline.memory import Scoring
from rpc.cancel import CancelToken
from rpc.errors import RequestFailed

_LONGEST_QUEUE = 4096
"""Clips that cannot be read take no room in a batch; even so they do not wait for ever."""


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """A clip of the recording opened last: its scores, shape [classes], or why there are none."""

    index: int
    scores: Scores | None
    error: RequestFailed | None


@dataclass(frozen=True, slots=True)
class Scorer:
    """How clips are scored: `batch_size` at a time; `columns` are the classes kept, None for all."""

    model: Scoring
    batch_size: Callable[[], int]
    activation: Activation
    columns: NDArray[np.intp] | None
    token: CancelToken

    def score(self, events: Iterable[Event]) -> Iterator[Opened | Unreadable | ScoredClip | Ended]:
        """The same events in the same order, with scored clips instead of prepared ones.

        Raises
        ------
        rpc.errors.RequestCancelled
            Before the next batch, once the token is up.
        rpc.errors.OutOfMemory
        """
        waiting: list[Event] = []
        samples = 0
        for event in events:
            self.token.raise_if_cancelled()
            waiting.append(event)
            samples += isinstance(event, Prepared) and event.error is None
            if samples >= self.batch_size() or len(waiting) == _LONGEST_QUEUE or samples == 0:
                yield from self._run(waiting)
                waiting, samples = [], 0
        self.token.raise_if_cancelled()
        yield from self._run(waiting)

    def _run(self, events: list[Event]) -> Iterator[Opened | Unreadable | ScoredClip | Ended]:
        samples = [event.sample for event in events if isinstance(event, Prepared) and event.error is None]
        rows = iter(self._forward(samples)) if samples else iter(())
        for event in events:
            if not isinstance(event, Prepared):
                yield event
            elif event.error is not None:
                yield ScoredClip(event.index, None, event.error)
            else:
                yield ScoredClip(event.index, next(rows), None)

    def _forward(self, samples: list[object]) -> Scores:
        scores = activate(self.model.score(samples), self.activation)
        return scores if self.columns is None else scores[:, self.columns]
