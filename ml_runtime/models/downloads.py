"""The files that models of the zoo fetch: which, how far they are, and stopping them.

What lives here: standing in for the download functions that the zoo calls, while it constructs a model. What must not:
knowing which model needs what, or where a cache lies (caches.py).

torch hub's and the zoo's own downloads are done here, for they tell nothing on the way, cannot be stopped, and leave
half a file behind; those of huggingface_hub do all that when they are asked to, and keep a cache of their own form.

Where the internet is out of reach, an institute may offer the files itself: with DIPPER_MODEL_MIRROR set to an
address, torch hub's and the zoo's files are fetched from `<address>/<file name>`; huggingface_hub knows HF_ENDPOINT.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib
import os
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rpc.cancel import CancelToken
from rpc.errors import DownloadFailed
from survey import atomic

MIRROR_VARIABLE = "DIPPER_MODEL_MIRROR"
_CONNECTING_SECONDS = 20.0
_CHUNK_BYTES = 256 * 1024
_TELL_SECONDS = 0.2
_ZOO = "bioacoustics_model_zoo"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that was asked for: its name, where it comes from, and where it would be kept."""

    name: str
    origin: str
    cached_at: str


def _say_nothing(name: str, done: int, total: int | None) -> None:
    """For those who do not want to hear of bytes."""


@dataclass
class Watch:
    """What a model fetches while it is constructed.

    `tell` hears the name, the bytes that have come and the bytes in all; at most five times a second. `wanted` are
    the files whose download was begun and did not succeed, `files` those that the model got.
    """

    token: CancelToken = field(default_factory=CancelToken)
    tell: Callable[[str, int, int | None], None] = _say_nothing
    wanted: list[Wanted] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    fetched_bytes: int = 0
    _told: float = 0.0

    def came(self, name: str, size: int, done: int, total: int | None) -> None:
        """Another `size` bytes are here. Raises RequestCancelled."""
        self.token.raise_if_cancelled()
        self.fetched_bytes += size
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS or done == total:
            self._told = now
            self.tell(name, done, total)

    def got(self, path: Path) -> None:
        """A model got this file, or all in this folder."""
        found = sorted(inside for inside in path.rglob("*") if inside.is_file()) if path.is_dir() else [path]
        self.files += [file for file in found if file not in self.files]


@contextlib.contextmanager
def watched_downloads(watch: Watch) -> Iterator[None]:
    """Keep `watch` up to date with what is fetched; no connection waits for ever meanwhile."""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_CONNECTING_SECONDS)
    try:
        with contextlib.ExitStack() as stack:
            for module, function, stand_in in _STAND_INS:
                stack.enter_context(_replaced(module, function, stand_in, watch))
            yield
    finally:
        socket.setdefaulttimeout(patience)


def fetch(url: str, path: Path, watch: Watch, hash_prefix: str | None = None) -> None:
    """Download `url` to `path`, which gets its name when all of it is there.

    Raises
    ------
    DownloadFailed
        It cannot be fetched, or is not what was promised.
    RequestCancelled
    DiskFull, PermissionRefused
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.written_aside(path) as aside, _connection(url, path) as answer, aside.open("wb") as file:
        total = int(answer.headers.get("Content-Length") or 0) or None
        digest, done = hashlib.sha256(), 0
        while chunk := _read(answer, path):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            watch.came(path.name, len(chunk), done, total)
        if total is not None and done < total:
            raise DownloadFailed(f"The connection broke off after {done} of {total} bytes of {path.name}.")
        if hash_prefix and not digest.hexdigest().startswith(hash_prefix):
            raise DownloadFailed(f"What was fetched as {path.name} is not that file: its SHA-256 is another.")


@contextlib.contextmanager
def _connection(url: str, path: Path) -> Iterator[Any]:
    request = urllib.request.Request(_mirrored(url, path.name), headers={"User-Agent": "dipper"})
    try:
        answer = urllib.request.urlopen(request, timeout=_CONNECTING_SECONDS)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(path.name, error) from error
    with answer:
        yield answer


def _read(answer: Any, path: Path) -> bytes:
    try:
        chunk: bytes = answer.read(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(path.name, error) from error
    return chunk


def _unreachable(name: str, error: Exception) -> DownloadFailed:
    # An answer like 404 says all by itself; what kept us from getting any answer is wrapped.
    answered = isinstance(error, urllib.error.HTTPError)
    reason = error.reason if isinstance(error, urllib.error.URLError) and not answered else error
    return DownloadFailed(f"{name} could not be fetched: {reason}.")


def _mirrored(url: str, name: str) -> str:
    mirror = os.environ.get(MIRROR_VARIABLE)
    return f"{mirror.rstrip('/')}/{urllib.parse.quote(name)}" if mirror else url


StandIn = Callable[[Callable[..., Any], Watch, tuple[Any, ...], dict[str, Any]], Any]


def _torch_hub_download(
    original: Callable[..., Any], watch: Watch, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    named = dict(zip(("url", "dst", "hash_prefix"), arguments, strict=False)) | options
    url, path = str(named["url"]), Path(named["dst"])
    with _asking_for(Wanted(path.name, url, str(path)), watch):
        fetch(url, path, watch, named.get("hash_prefix"))


def _torch_hub_load(
    original: Callable[..., Any], watch: Watch, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    loaded = original(*arguments, **options)
    named = dict(zip(("url", "model_dir"), arguments, strict=False)) | options
    folder = Path(named.get("model_dir") or Path(importlib.import_module("torch.hub").get_dir()) / "checkpoints")
    name = named.get("file_name") or Path(urllib.parse.urlparse(str(named["url"])).path).name
    watch.got(folder / str(name))
    return loaded


def _hugging_face_download(
    original: Callable[..., Any], watch: Watch, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    named = dict(zip(("repo_id", "filename"), arguments, strict=False)) | options
    repository, name = str(named.get("repo_id")), str(named.get("filename"))
    cache = importlib.import_module("huggingface_hub.constants").HF_HUB_CACHE
    kept = f"{cache}/models--{repository.replace('/', '--')}"
    with _asking_for(Wanted(name, f"huggingface.co/{repository}", kept), watch):
        path = original(*arguments, **{"tqdm_class": _bar_of(watch, name), **options})
    watch.got(Path(path))
    return path


def _zoo_download(
    original: Callable[..., Any], watch: Watch, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Path:
    named = dict(zip(("url", "save_dir", "verbose", "redownload_existing"), arguments, strict=False)) | options
    url = str(named["url"])
    path = Path(named.get("save_dir", ".")) / Path(url).name
    if not path.exists() or named.get("redownload_existing"):
        # What GitHub shows as a page is another address than the file.
        url = url.replace("/blob/", "/raw/") if "github.com" in url else url
        with _asking_for(Wanted(path.name, url, str(path)), watch):
            fetch(url, path, watch)
    watch.got(path)
    return path


def _zoo_cached_download(
    original: Callable[..., Any], watch: Watch, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    path = original(*arguments, **options)
    watch.got(Path(path))
    return path


def _kaggle_download(
    original: Callable[..., Any], watch: Watch, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    handle = str(arguments[0] if arguments else options.get("handle"))
    with _asking_for(Wanted(handle, f"kaggle.com/models/{handle}", f"kagglehub's cache, models/{handle}"), watch):
        path = original(*arguments, **options)
    watch.got(Path(path))
    return path


_STAND_INS: tuple[tuple[str, str, StandIn], ...] = (
    ("torch.hub", "download_url_to_file", _torch_hub_download),
    ("torch.hub", "load_state_dict_from_url", _torch_hub_load),
    ("huggingface_hub", "hf_hub_download", _hugging_face_download),
    (f"{_ZOO}.utils", "download_file", _zoo_download),
    (f"{_ZOO}.utils", "download_cached_file", _zoo_cached_download),
    ("kagglehub", "model_download", _kaggle_download),
)


@contextlib.contextmanager
def _asking_for(file: Wanted, watch: Watch) -> Iterator[None]:
    watch.token.raise_if_cancelled()
    watch.wanted.append(file)
    yield
    watch.wanted.remove(file)


def _bar_of(watch: Watch, name: str) -> type[Any]:
    """A progress bar for huggingface_hub that draws nothing and tells `watch`."""
    base = importlib.import_module("tqdm").tqdm

    class Bar(base):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._done = int(options.get("initial") or 0)
            # huggingface_hub names its bars, which tqdm does not know.
            options.pop("name", None)
            super().__init__(*arguments, **{**options, "disable": True})
            self.total = options.get("total")

        def update(self, n: float | None = 1) -> None:
            self._done += int(n or 0)
            watch.came(name, int(n or 0), self._done, None if self.total is None else int(self.total))

    return Bar


@contextlib.contextmanager
def _replaced(module_name: str, function_name: str, stand_in: StandIn, watch: Watch) -> Iterator[None]:
    """Put `stand_in` for a function, wherever the zoo has imported it to."""
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        yield
        return
    original = getattr(module, function_name)

    def standing_in(*arguments: Any, **options: Any) -> Any:
        return stand_in(original, watch, arguments, options)

    zoo = [other for name, other in list(sys.modules.items()) if name.startswith(f"{_ZOO}.")]
    places = [module, *(other for other in zoo if getattr(other, function_name, None) is original)]
    for place in places:
        setattr(place, function_name, standing_in)
    try:
        yield
    finally:
        for place in places:
            setattr(place, function_name, original)
