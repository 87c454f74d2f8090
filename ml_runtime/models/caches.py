"""Where the zoo's libraries keep weights, and whether a model's are there.

What lives here: the folders of the caches, as those libraries know them. What must not: fetching (downloads.py),
copying (imports.py), or anything that makes a folder.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TorchHub:
    """A file in torch hub's folder of checkpoints."""

    name: str

    def is_cached(self) -> bool:
        """Whether it is on this computer."""
        return (torch_folder() / self.name).is_file()


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """A file of a Hugging Face repository; `folder` is one of the zoo's cache, where the model keeps it there."""

    repository: str
    name: str
    folder: str | None = None

    def is_cached(self) -> bool:
        """Whether it is on this computer."""
        known = importlib.import_module("huggingface_hub").try_to_load_from_cache
        return isinstance(known(self.repository, self.name, cache_dir=self._cache()), str)

    def _cache(self) -> Path:
        return hugging_face_folder() if self.folder is None else zoo_folder() / self.folder


@dataclass(frozen=True, slots=True)
class InZooCache:
    """Files of a folder in the zoo's own cache, at least `count` of them."""

    folder: str
    pattern: str
    count: int = 1

    def is_cached(self) -> bool:
        """Whether they are on this computer."""
        return sum(path.is_file() for path in (zoo_folder() / self.folder).glob(self.pattern)) >= self.count


@dataclass(frozen=True, slots=True)
class Kaggle:
    """A model of Kaggle's."""

    handle: str

    def is_cached(self) -> bool:
        """Whether it is on this computer: kagglehub marks what it has fetched completely."""
        # owner/model/framework/variation/version; only the framework is written in many ways.
        owner, model, framework, variation, version = self.handle.split("/")
        names = {framework, framework.lower(), framework[:1].lower() + framework[1:]}
        folders = (kaggle_folder() / "models" / owner / model / name / variation for name in names)
        return any((folder / f"{version}.complete").exists() for folder in folders)


WeightsPlace = TorchHub | HuggingFace | InZooCache | Kaggle


def are_cached(weights: tuple[WeightsPlace, ...]) -> bool | None:
    """Whether all of `weights` are on this computer; None when nobody knows what they are."""
    return all(place.is_cached() for place in weights) if weights else None


def torch_folder() -> Path:
    """Where torch hub keeps single files."""
    return Path(importlib.import_module("torch.hub").get_dir()) / "checkpoints"


def hugging_face_folder() -> Path:
    """Where huggingface_hub keeps its repositories, a folder `models--<owner>--<name>` each."""
    return Path(importlib.import_module("huggingface_hub.constants").HF_HUB_CACHE)


def zoo_folder() -> Path:
    """Where the zoo keeps what it fetches itself, a folder a model."""
    return Path(importlib.import_module("bioacoustics_model_zoo.cache").get_default_cache_dir())


def kaggle_folder() -> Path:
    """Where kagglehub keeps what it fetches; it need not be installed."""
    with contextlib.suppress(ImportError):
        return Path(importlib.import_module("kagglehub.config").get_cache_folder())
    return Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub")
