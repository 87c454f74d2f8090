"""A classifier of OpenSoundscape's kind as a Model: CNNs, and the zoo's wrappers of other back ends.

What lives here: taking over the reading from OpenSoundscape's preprocessor, everything else left to it. What must
not: where a classifier comes from (checkpoint.py, zoo.py).

NOTE: the preprocessor's own actions make each sample, so that it equals the reference's; only their first, which
opens the file anew for every clip, is replaced by reading from the open recording. A preprocessor that begins with
anything else is used as it is. The default one makes pictures of many clips at once (pictures.py); where the network is
on a GPU they are made there, and clips wait as waveforms.
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
from ml_runtime.cpus import usable_cpus
from ml_runtime.models.pictures import Pictures
from ml_runtime.models.plans import EAGER, Forward, Setting, make_plan, plans_for
from ml_runtime.models.protocol import ModelCard, Scores
from ml_runtime.models.waveform import read_resampled, resampled
from ml_runtime.sound import Sound
from rpc.errors import DecodeFailed, OutOfMemory, RequestFailed

_DURATION_DECIMALS = 10
_EXAMPLES = 2
"""Clips that a plan is made from: of one alone a trace might take for granted that it is one."""
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
        self._pictures = Pictures.of(model.preprocessor) if self._loading is not None and self._is_plain else None
        self._draws_late = self._pictures is not None and self._device.type != "cpu"
        self._threads = usable_cpus()
        model.device = self._device
        model.network.to(self._device)
        model.network.eval()
        self._plan = EAGER
        self._example_shape: tuple[int, ...] | None = None
        self._made: dict[str, Forward] = {}

    def clip_times(self, sound: Sound, overlap_seconds: float) -> ClipTimes:
        """As `predict`: every clip has full length, the last reaches beyond the end."""
        return extended_clips(sound.duration_seconds, self.card.clip_seconds, overlap_seconds)

    def prepare(self, sound: Sound, start_seconds: float, end_seconds: float) -> Any:
        """OpenSoundscape's AudioSample of the clip, preprocessed without augmentation; or as `prepare_together`."""
        duration = round(end_seconds - start_seconds, _DURATION_DECIMALS)
        if self._pictures is not None:
            return self._drawn([self._read(sound, start_seconds, duration).samples])[0]
        sample = AudioSample(str(sound.path), start_time=start_seconds, duration=duration, labels=_NO_LABELS)
        if self._loading is not None:
            sample.data = self._read(sound, start_seconds, duration)
        _use_threads(1)
        try:
            return self._preprocessor.forward(sample, bypass_augmentations=True)
        except PreprocessingError as error:
            raise _unprepared(sound, start_seconds, error) from error

    def prepare_together(self, sound: Sound, starts: Sequence[float], ends: Sequence[float]) -> Sequence[Any] | None:
        """Neighbouring clips, read and drawn at once; None where that cannot be done.

        Each is a picture, shape [1, rows, columns], or for a GPU the sound, shape [samples].
        """
        if self._pictures is None or self._loading is None:
            return None
        durations = [round(end - start, _DURATION_DECIMALS) for start, end in zip(starts, ends, strict=True)]
        stretches = sound.read_stretches(starts, durations)
        if stretches is None:
            return None
        rate, kind = self._preprocessor.sample_rate, self._loading["resample_type"]
        clips = [resampled(samples, sound, start, rate, kind) for samples, start in zip(stretches, starts, strict=True)]
        return self._drawn([samples.astype(self._loading["dtype"]) for samples in clips])

    def plans(self, precision: str) -> Sequence[str]:
        """The ways to run the network here, the plainest first."""
        return plans_for(self._device, precision) if self._is_plain else (EAGER,)

    def follow(self, plan: str, examples: Sequence[Any]) -> None:
        """From now on run the network by `plan`, made for clips like `examples`. Raises whatever libraries raise."""
        if plan not in self._made and plan != EAGER:
            with torch.inference_mode():
                alike = [sample for sample in examples if _shape(sample) == _shape(examples[0])]
                batch = self._batch(alike[:_EXAMPLES])
            self._example_shape = tuple(batch.shape[1:])
            self._made[plan] = make_plan(plan, self._model.network, batch, self._setting())
        self._plan = plan

    def forget_other_plans(self) -> None:
        """Give back the memory of the plans that were tried and are not followed."""
        self._made = {plan: made for plan, made in self._made.items() if plan == self._plan}

    def score(self, prepared: Sequence[Any]) -> Scores:
        """The network's output, before any activation."""
        _use_threads(self._threads)
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
        batch = self._batch(prepared)
        # A trace holds for one shape; a model that does not resample may get another.
        known = self._made.get(self._plan) if batch.shape[1:] == self._example_shape else None
        forward = known or make_plan(EAGER, self._model.network, batch, self._setting())
        scores: Scores = forward(batch).float().cpu().numpy()
        return scores

    def _batch(self, prepared: Sequence[Any]) -> torch.Tensor:
        """What goes into the network, on its device."""
        stacked = torch.stack([sample.data if isinstance(sample, AudioSample) else sample for sample in prepared])
        if self._device.type == "cuda":
            # From pinned memory the copy runs beside what the GPU calculates.
            stacked = stacked.pin_memory().to(self._device, non_blocking=True)
        else:
            stacked = stacked.to(self._device)
        if self._draws_late and self._pictures is not None:
            return self._pictures.draw(stacked)
        return stacked

    def _setting(self) -> Setting:
        channels = None if self._pictures is None else self._pictures.channels
        return Setting(self._device, self._threads, channels)

    def _drawn(self, clips: Sequence[Any]) -> list[torch.Tensor]:
        assert self._pictures is not None
        _use_threads(1)
        waveforms = torch.from_numpy(np.stack([self._pictures.waveform(samples) for samples in clips]))
        with torch.inference_mode():
            return list(waveforms if self._draws_late else self._pictures.draw(waveforms))

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
    values = sample.data if isinstance(sample, AudioSample) else sample
    return tuple(values.samples.shape if isinstance(values, Audio) else values.shape)


def _use_threads(count: int) -> None:
    """Let torch calculate on `count` threads in the thread that calls: it keeps a number for each."""
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


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
