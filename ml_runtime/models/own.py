"""A model that a user wrote: a class in a Python file, see docs/models.md.

What lives here: running the file, and holding its class to protocol.py, so that a slip in it ends with a sentence. What
must not: any knowledge of what such a model does.

Running the file runs whatever it holds, so it is opened only for a run that says `trust`.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ml_runtime.clips import ClipTimes
from ml_runtime.models.identity import hash_file, hash_text
from ml_runtime.models.names import nearest_names
from ml_runtime.models.protocol import Model, ModelCard, Scores
from ml_runtime.sound import Sound
from rpc.errors import DecodeFailed, ModelLoadFailed, RequestFailed, RpcError, from_os_error
from schemas.config import PythonModel
from survey.model_config import refuse_untrusted

_LOG = logging.getLogger(__name__)
_OFFERED = ("clip_times", "prepare", "score")


class OwnModel:
    """A user's model, its answers checked. Its weights are told apart by its file too."""

    def __init__(self, model: Model, card: ModelCard, path: Path) -> None:
        self.card = card
        self._model = model
        self._path = path

    def clip_times(self, sound: Sound, overlap_seconds: float) -> ClipTimes:
        """As the user's; what it raises counts against the recording."""
        try:
            return self._model.clip_times(sound, overlap_seconds)
        except RpcError:
            raise
        # Somebody else's code may raise anything.
        except Exception as error:
            _LOG.exception("clip_times of %s", self._path)
            message = f"{sound.path}: {self._path.name} cannot cut it into clips ({_said(error)})."
            raise DecodeFailed(message, path=sound.path) from error

    def prepare(self, sound: Sound, start_seconds: float, end_seconds: float) -> Any:
        """As the user's; the pipeline takes what it raises as a clip that cannot be read."""
        return self._model.prepare(sound, start_seconds, end_seconds)

    def score(self, prepared: Sequence[Any]) -> Scores:
        """As the user's, proven to be a score for each class of each clip."""
        try:
            scores = np.asarray(self._model.score(prepared))
        except (RpcError, MemoryError):
            raise
        # Somebody else's code may raise anything.
        except Exception as error:
            _LOG.exception("score of %s", self._path)
            message = f"{self.card.name} failed while it scored clips: {_said(error)}."
            raise RequestFailed(message, path=self._path, hint="The job's log tells where.") from error
        wanted = (len(prepared), len(self.card.classes))
        if scores.shape != wanted or not np.issubdtype(scores.dtype, np.number):
            message = f"score() of {self._path} gave {scores.dtype} of shape {scores.shape}, not numbers of {wanted}."
            raise RequestFailed(message, path=self._path, hint="It must be one row a clip and one column a class.")
        return scores if scores.dtype in (np.float32, np.float64) else scores.astype(np.float32)


def load_own(config: PythonModel, path: Path, device: str, *, trust: bool) -> OwnModel:
    """The model that the class `config.class_name` of the file at `path` makes.

    A class whose constructor has a parameter `device` gets the torch device chosen ("cpu", "cuda:1").

    Raises
    ------
    FileMissing, PermissionRefused
        The file cannot be read.
    ModelLoadFailed
        The run does not say `trust`; the file or its class fails, or does not offer what a model must.
    """
    refuse_untrusted(config, trust=trust)
    try:
        source, digest = path.read_bytes(), hash_file(path)
    except OSError as error:
        raise from_os_error(error, path, "read") from error
    with _beside(path):
        module = _run(source, path, digest)
        model = _construct(_class_of(module, config.class_name, path), config.options, device, path)
    card = _checked_card(model, path)
    told_apart = hash_text(f"{digest} {card.weights}")
    return OwnModel(model, dataclasses.replace(card, weights=told_apart, files=(path, *card.files)), path)


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let the file import what lies in its folder."""
    folder = str(path.parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _run(source: bytes, path: Path, digest: str) -> types.ModuleType:
    # By its content: a file that was changed is another module, and dataclasses look their module up here.
    name = f"own_model_{digest.removeprefix('sha256:')[:16]}"
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        _LOG.exception("%s", path)
        raise ModelLoadFailed(f"{path} cannot be run: {_said(error)}.", path=path) from error
    return module


def _class_of(module: types.ModuleType, name: str, path: Path) -> type[Any]:
    found = getattr(module, name, None)
    if isinstance(found, type):
        return found
    classes = [
        name for name, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
    ]
    nearest = nearest_names(name, classes) or classes
    hint = f"It has {', '.join(nearest)}." if nearest else "It has no class at all."
    raise ModelLoadFailed(f"{path} has no class {name!r}.", path=path, hint=hint)


def _construct(model_class: type[Any], options: dict[str, Any], device: str, path: Path) -> Any:
    wanted = dict(options)
    try:
        if "device" in inspect.signature(model_class).parameters:
            wanted.setdefault("device", device)
        return model_class(**wanted)
    except RpcError:
        raise
    except (Exception, SystemExit) as error:
        _LOG.exception("%s of %s", model_class.__name__, path)
        message = f"{model_class.__name__} of {path} cannot be made: {_said(error)}."
        raise ModelLoadFailed(message, path=path, hint="Its options are those in $.model.options.") from error


def _checked_card(model: Any, path: Path) -> ModelCard:
    """The model's card, when the model offers all that it must."""
    name = type(model).__name__
    lacking = [method for method in _OFFERED if not callable(getattr(model, method, None))]
    if lacking:
        raise _unfit(f"{name} has no {lacking[0]}()", path)
    card = getattr(model, "card", None)
    if not isinstance(card, ModelCard):
        raise _unfit(f"{name}.card is no ModelCard", path)
    if not card.classes or len(set(card.classes)) < len(card.classes) or not all(map(_is_name, card.classes)):
        raise _unfit(f"{name}.card.classes must be texts, at least one, and none twice", path)
    if not card.clip_seconds > 0:
        raise _unfit(f"{name}.card.clip_seconds must be above 0", path)
    return dataclasses.replace(card, classes=tuple(card.classes))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _unfit(what: str, path: Path) -> ModelLoadFailed:
    hint = "ml_runtime/models/protocol.py says what a model offers; docs/models.md shows one."
    return ModelLoadFailed(f"{path} holds no model that can be run: {what}.", path=path, hint=hint)


def _said(error: BaseException) -> str:
    said = " ".join(str(error).split())[:300].rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
