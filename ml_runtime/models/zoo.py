"""The bioacoustics-model-zoo: which of its models can run here, and loading one.

What lives here: the zoo's list, its models as Models, and what older ones need to be constructed at all. What must
not: a list of the zoo's models by our own hand.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bioacoustics_model_zoo
from opensoundscape import Action, Spectrogram
from opensoundscape.ml.cnn import SpectrogramClassifier
from opensoundscape.preprocess import action_functions
from opensoundscape.preprocess.preprocessors import SpectrogramPreprocessor

from ml_runtime.models.caches import are_cached
from ml_runtime.models.classifier import Classifier, is_plain, is_thread_safe
from ml_runtime.models.downloads import Wanted, Watch, watched_downloads
from ml_runtime.models.facts import FACTS, UNKNOWN
from ml_runtime.models.identity import hash_files, hash_network
from ml_runtime.models.protocol import ModelCard
from ml_runtime.models.requirements import install_command, missing_packages
from rpc.errors import DiskFull, DownloadFailed, ModelLoadFailed, RequestCancelled
from schemas.config import ZooModel
from schemas.models import ModelEntry

_OLD_BAND_HZ = (0, 11025)


def zoo_classes() -> dict[str, type[Any]]:
    """The zoo's models by name."""
    return dict(bioacoustics_model_zoo.list_models())


def describe_zoo() -> list[ModelEntry]:
    """Every model of the zoo, and whether it can run here. None is constructed."""
    return [_describe(name, model_class) for name, model_class in sorted(zoo_classes().items())]


def why_unavailable(name: str, model_class: type[Any]) -> str | None:
    """Why the model cannot run here, as a sentence; None when it can."""
    missing = missing_packages(model_class)
    if missing:
        packages = " and ".join(missing)
        plural = "packages that are" if len(missing) > 1 else "a package that is"
        command = install_command(model_class, missing)
        return f"{name} needs {plural} not in this ML environment: {packages}. To add what is missing: {command}"
    if not issubclass(model_class, SpectrogramClassifier) or not _scores_clips(model_class):
        return f"{name} does not score clips of sound, so it cannot be used for a survey."
    return None


def check_zoo_model(config: ZooModel) -> None:
    """Raise ModelLoadFailed where packages are missing or an option is wrong; nothing is constructed."""
    model_class = zoo_classes()[config.name]
    reason = why_unavailable(config.name, model_class)
    if reason is not None:
        raise ModelLoadFailed(reason, hint="Or choose another model; models/list tells which can run.")
    _check_options(config, model_class)


def load_zoo_model(config: ZooModel, device: str, watch: Watch | None = None) -> Classifier:
    """The zoo's model of this name; `watch` hears of what it fetches, and can stop that.

    Raises
    ------
    ModelLoadFailed
        A package is missing, an option is wrong, or the weights are not here and cannot be fetched.
    RequestCancelled, DiskFull
        While weights were fetched.
    """
    watch = watch or Watch()
    check_zoo_model(config)
    model_class = zoo_classes()[config.name]
    with warnings.catch_warnings(record=True) as caught, watched_downloads(watch):
        warnings.simplefilter("always")
        model = _construct(config, model_class, watch)
    notes = dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught)
    return Classifier(model, _card(config, model, device, tuple(watch.files), tuple(notes)))


def _describe(name: str, model_class: type[Any]) -> ModelEntry:
    reason, facts = why_unavailable(name, model_class), FACTS.get(name, UNKNOWN)
    return ModelEntry(
        source="zoo",
        name=name,
        description=_description(model_class),
        available=reason is None,
        reason=reason,
        title=facts.title,
        licence=facts.licence,
        citation=facts.citation,
        clip_seconds=facts.clip_seconds,
        sample_rate=facts.sample_rate,
        class_count=facts.class_count,
        weights_cached=are_cached(facts.weights),
    )


def _description(model_class: type[Any]) -> str:
    """The first sentence that the zoo says of a model; a stub's words are about packages, not about the model."""
    for text in (vars(model_class).get("__doc__"), getattr(vars(model_class).get("__init__"), "__doc__", None)):
        if text:
            return str(text.strip().splitlines()[0].strip())
    return ""


def _scores_clips(model_class: type[Any]) -> bool:
    """Whether `batch_forward(samples, targets)` gives one row a clip; models that cut time their own way do not."""
    parameters = inspect.signature(model_class.batch_forward).parameters
    own_call = model_class.__call__ is not SpectrogramClassifier.__call__
    return "targets" in parameters and not own_call


def _check_options(config: ZooModel, model_class: type[Any]) -> None:
    parameters = inspect.signature(model_class.__init__).parameters
    known = {name for name in parameters if name != "self"}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    unknown = sorted(set(config.options) - known)
    if unknown and not takes_any:
        has = f"it has {', '.join(sorted(known))}" if known else "it has none"
        raise ModelLoadFailed(f"{config.name} has no option {unknown[0]!r}; {has}.")


def _construct(config: ZooModel, model_class: type[Any], watch: Watch) -> Any:
    repair = _REPAIRS.get(config.name, contextlib.nullcontext)
    try:
        with repair():
            return model_class(**config.options)
    except (RequestCancelled, DiskFull):
        raise
    # Whatever a model's constructor or its back end raises.
    except Exception as error:
        watch.token.raise_if_cancelled()
        raise _not_constructed(config.name, error, watch.wanted) from error


def _not_constructed(name: str, error: Exception, wanted: list[Wanted]) -> ModelLoadFailed:
    reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
    if not wanted:
        return ModelLoadFailed(f"{name} cannot be loaded: {reason}.")
    file = wanted[-1]
    what = error.message if isinstance(error, DownloadFailed) else f"{file.name} could not be fetched: {reason}."
    return ModelLoadFailed(
        f"The weights of {name} are not on this computer. {what}",
        path=file.cached_at,
        hint=f"Connect to the internet once, import the weights from a stick (models/import), or put the file from "
        f"{file.origin} at {file.cached_at}.",
    )


def _card(config: ZooModel, model: Any, device: str, files: tuple[Path, ...], notes: tuple[str, ...]) -> ModelCard:
    return ModelCard(
        name=config.name,
        classes=tuple(str(name) for name in model.classes),
        clip_seconds=float(model.sample_duration),
        sample_rate=model.sample_rate,
        weights=_weights(config, model, files),
        device=device,
        files=files,
        thread_safe=is_thread_safe(model.preprocessor),
        notes=notes,
    )


def _weights(config: ZooModel, model: Any, files: tuple[Path, ...]) -> str:
    # Wrappers of other back ends bring a torch network that is random and not used.
    if is_plain(model):
        return hash_network(model.network)
    named = [Path(option) for option in config.options.values() if isinstance(option, str) and Path(option).is_file()]
    if files or named:
        return hash_files(sorted({*files, *named}, key=lambda path: path.name))
    return f"{config.name} of bioacoustics-model-zoo {importlib.metadata.version('bioacoustics-model-zoo')}"


@contextlib.contextmanager
def _steps_of_older_preprocessors() -> Iterator[None]:
    """Let SpectrogramPreprocessor have the steps that it had before OpenSoundscape 0.13.

    Without a sample rate it no longer has a `bandpass`, and `add_noise` is called otherwise. Models that were
    written for older versions set both, and could not be constructed at all.
    """
    original: Callable[..., None] = SpectrogramPreprocessor.__init__

    def with_older_steps(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        if "bandpass" not in self.pipeline:
            low, high = _OLD_BAND_HZ
            crop = Action(Spectrogram.bandpass, min_f=low, max_f=high, out_of_bounds_ok=False)
            self.insert_action("bandpass", crop, after_key="to_spec")
        if "add_noise" not in self.pipeline:
            self.insert_action("add_noise", Action(action_functions.tensor_add_noise, is_augmentation=True))

    SpectrogramPreprocessor.__init__ = with_older_steps
    try:
        yield
    finally:
        SpectrogramPreprocessor.__init__ = original


_REPAIRS = {"RanaSierraeCNN": _steps_of_older_preprocessors}
