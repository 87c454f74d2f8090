"""A classifier of OpenSoundscape's kind as a Model: CNNs, and the zoo's wrappers of other back ends.

What lives here: taking over the reading from OpenSoundscape's preprocessor, everything else left to it. What must
not: where a classifier comes from (checkpoint.py, zoo.py).

NOTE: the preprocessor's own actions make each sample, so that it equals the reference's; only their first, which
opens the file anew for every clip, is replaced by reading from the open recording. A preprocessor that begins with
anything else is used as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import torch
from opensoundscape import Audio
from opensoundscape.ml.cnn import SpectrogramClassifier
from opensoundscape.preprocess.actions import AudioClipLoader
from opensoundscape.preprocess.utils import PreprocessingError
from opensoundscape.sample import AudioSample

from ml_runtime.clips import ClipTimes, extended_clips
from ml_runtime.models.protocol import ModelCard, Scores
from ml_runtime.models.waveform import read_resampled
from ml_runtime.sound import Sound
from rpc.errors import DecodeFailed, OutOfMemory, RequestFailed

_DURATION_DECIMALS = 10
_NO_LABELS = pd.Series(dtype=np.float16)


class Classifier:
    """`model` is OpenSoundscape's object; it belongs to this one from now on."""

    def __init__(self, model: Any, card: ModelCard) -> None:
        self.card = card
        self._model = model
        self._preprocessor = model.preprocessor
        self._loading = _take_over_loading(model.preprocessor)
        self._device = torch.device(card.device)
        self._is_plain = is_plain(model)
        model.device = self._device
        model.network.to(self._device)
        model.network.eval()

    def clip_times(self, sound: Sound, overlap_seconds: float) -> ClipTimes:
        """As `predict`: every clip has full length, the last reaches beyond the end."""
        return extended_clips(sound.duration_seconds, self.card.clip_seconds, overlap_seconds)

    def prepare(self, sound: Sound, start_seconds: float, end_seconds: float) -> Any:
        """OpenSoundscape's AudioSample of the clip, preprocessed without augmentation."""
        duration = round(end_seconds - start_seconds, _DURATION_DECIMALS)
        sample = AudioSample(str(sound.path), start_time=start_seconds, duration=duration, labels=_NO_LABELS)
        if self._loading is not None:
            sample.data = self._read(sound, start_seconds, duration)
        try:
            return self._preprocessor.forward(sample, bypass_augmentations=True)
        except PreprocessingError as error:
            raise _unprepared(sound, start_seconds, error) from error

    def score(self, prepared: Sequence[Any]) -> Scores:
        """The network's output, before any activation."""
        try:
            with torch.inference_mode():
                return np.concatenate([self._forward(list(alike)) for _, alike in groupby(prepared, key=_shape)])
        except (torch.OutOfMemoryError, MemoryError) as error:
            message = f"There is not enough memory to score {len(prepared)} clips at once with {self.card.name}."
            raise OutOfMemory(message, hint="Choose a smaller batchSize.") from error
        except RuntimeError as error:
            reason = str(error).strip().split("\n")[0]
            raise RequestFailed(f"{self.card.name} failed while it scored clips: {reason}") from error

    def _forward(self, prepared: Sequence[Any]) -> Scores:
        """The scores of samples of one shape."""
        if not self._is_plain:
            key = self._model.class_outputs_key
            return np.asarray(self._model.batch_forward(list(prepared), targets=(key,))[key])
        batch = torch.stack([sample.data for sample in prepared]).to(self._device)
        scores: Scores = self._model.network(batch).detach().cpu().numpy()
        return scores

    def _read(self, sound: Sound, start_seconds: float, duration: float) -> Audio:
        """The clip as `Audio.from_file` gives it; see sound.py."""
        assert self._loading is not None
        rate = self._preprocessor.sample_rate or sound.sample_rate
        resampling = self._loading["resample_type"]
        samples = read_resampled(sound, start_seconds, duration, rate, resampling)
        return Audio(samples.astype(self._loading["dtype"]), rate, resample_type=resampling)


def _take_over_loading(preprocessor: Any) -> dict[str, Any] | None:
    """Remove the action that reads files, and return its settings; None when it is not the one we know."""
    if len(preprocessor.pipeline) == 0:
        return None
    name, action = next(iter(preprocessor.pipeline.items()))
    if type(action) is not AudioClipLoader or action.bypass or action.params.get("start_timestamp") is not None:
        return None
    if action.params.get("out_of_bounds_mode") == "raise":
        return None
    preprocessor.pipeline = preprocessor.pipeline.drop(name)
    return {"resample_type": action.params["resample_type"], "dtype": action.params["dtype"]}


def _shape(sample: Any) -> tuple[int, ...]:
    """Of a sample's tensor, or of its sound. A model that does not resample gets both in many sizes."""
    values = sample.data.samples if isinstance(sample.data, Audio) else sample.data
    return tuple(values.shape)


def is_plain(model: Any) -> bool:
    """Whether the scores are what `model.network` gives; wrappers of other back ends score on their own."""
    return type(model).batch_forward is SpectrogramClassifier.batch_forward


def is_thread_safe(preprocessor: Any) -> bool:
    """Whether clips may be prepared in several threads: OpenSoundscape's own actions keep no state."""
    return all(type(action).__module__.startswith("opensoundscape.") for action in preprocessor.pipeline)


def _unprepared(sound: Sound, start_seconds: float, error: Exception) -> DecodeFailed:
    cause = error.__cause__ or error
    reason = str(cause).strip().split("\n")[0] or type(cause).__name__
    message = f"{sound.path}: the clip at {start_seconds:g} s cannot be prepared for the model ({reason})."
    return DecodeFailed(message, path=sound.path)
