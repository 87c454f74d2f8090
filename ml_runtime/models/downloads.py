"""Noticing which file a model of the zoo wants to fetch, so that an error can name it.

What lives here: watching the download functions that the zoo calls, while it constructs a model. What must not:
downloading anything by itself.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CONNECTING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that was asked for: its name, where it comes from, and where it would be kept."""

    name: str
    origin: str
    cached_at: str


@contextlib.contextmanager
def watched_downloads() -> Iterator[list[Wanted]]:
    """List the files whose download was begun and did not succeed; no connection waits for ever meanwhile."""
    wanted: list[Wanted] = []
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_CONNECTING_SECONDS)
    try:
        with contextlib.ExitStack() as stack:
            for module, function, describe in _WATCHED:
                stack.enter_context(_watched(module, function, describe, wanted))
            yield wanted
    finally:
        socket.setdefaulttimeout(patience)


Describe = Callable[[tuple[Any, ...], dict[str, Any]], Wanted]


def _from_torch_hub(arguments: tuple[Any, ...], options: dict[str, Any]) -> Wanted:
    url, kept = arguments[0], arguments[1]
    return Wanted(Path(kept).name, str(url), str(kept))


def _from_hugging_face(arguments: tuple[Any, ...], options: dict[str, Any]) -> Wanted:
    named = dict(zip(("repo_id", "filename"), arguments, strict=False)) | options
    repository, name = str(named.get("repo_id")), str(named.get("filename"))
    cache = importlib.import_module("huggingface_hub.constants").HF_HUB_CACHE
    return Wanted(name, f"huggingface.co/{repository}", f"{cache}/models--{repository.replace('/', '--')}")


def _from_the_zoo(arguments: tuple[Any, ...], options: dict[str, Any]) -> Wanted:
    named = dict(zip(("url", "save_dir"), arguments, strict=False)) | options
    url, folder = str(named.get("url")), str(named.get("save_dir", "."))
    return Wanted(Path(url).name, url, str(Path(folder) / Path(url).name))


_WATCHED: tuple[tuple[str, str, Describe], ...] = (
    ("torch.hub", "download_url_to_file", _from_torch_hub),
    ("huggingface_hub", "hf_hub_download", _from_hugging_face),
    ("bioacoustics_model_zoo.utils", "download_file", _from_the_zoo),
)


@contextlib.contextmanager
def _watched(module_name: str, function_name: str, describe: Describe, wanted: list[Wanted]) -> Iterator[None]:
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        yield
        return
    original = getattr(module, function_name)

    def watching(*arguments: Any, **options: Any) -> Any:
        file = describe(arguments, options)
        wanted.append(file)
        result = original(*arguments, **options)
        wanted.remove(file)
        return result

    setattr(module, function_name, watching)
    try:
        yield
    finally:
        setattr(module, function_name, original)
