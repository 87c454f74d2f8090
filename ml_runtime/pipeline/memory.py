"""Batches that fit into memory: one that does not is halved, and so are those after it.

What lives here: recognising that memory ran out, and going on with less. What must not: what a batch is made of.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ml_runtime.models.protocol import Scores
from rpc.errors import OutOfMemory

_LOG = logging.getLogger(__name__)
_SAID = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate memory")
"""How CUDA, MPS, PyTorch on CPU and ONNX Runtime say it; they raise RuntimeErrors."""


class Scoring(Protocol):
    """Whatever turns prepared clips into scores."""

    def score(self, prepared: Sequence[Any]) -> Scores:
        """Raw scores of prepared clips, shape [clips, classes]."""


class Thrifty:
    """Scores as `model` does, in batches as large as memory allows."""

    def __init__(self, model: Scoring) -> None:
        self._model = model
        self.most: int | None = None
        """The most clips that are scored together; None while memory has not run out."""

    def score(self, prepared: Sequence[Any]) -> Scores:
        """Raw scores of prepared clips, shape [clips, classes].

        Raises
        ------
        rpc.errors.OutOfMemory
            There is not even enough memory for one clip.
        """
        rows: list[Scores] = []
        done = 0
        while done < len(prepared):
            batch = prepared[done : done + (self.most or len(prepared))]
            scores = self._try(batch)
            if scores is None:
                self._halve(len(batch))
            else:
                rows.append(scores)
                done += len(batch)
        return rows[0] if len(rows) == 1 else np.concatenate(rows)

    def _try(self, batch: Sequence[Any]) -> Scores | None:
        try:
            return self._model.score(batch)
        except Exception as error:
            if not ran_out_of_memory(error):
                raise
            if len(batch) == 1:
                hint = "Choose a smaller model or another device, or close other programs."
                raise OutOfMemory("There is not enough memory to score a single clip.", hint=hint) from error
        return None

    def _halve(self, tried: int) -> None:
        self.most = tried // 2
        _LOG.warning("memory ran out with %d clips at a time; going on with %d", tried, self.most)
        # Only now, when the exception and with it the frames that held the batch are gone.
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def ran_out_of_memory(error: Exception) -> bool:
    """Whether `error` says, in the words of whatever library, that memory ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)
