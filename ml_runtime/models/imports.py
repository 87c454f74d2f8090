"""Weights that were fetched on another computer, taken over from a folder: off a memory stick, say.

What lives here: finding the caches in a folder, checking their files, copying them. What must not: where caches lie
(caches.py), fetching (downloads.py).

Nothing is copied before everything is looked at. Each file is copied aside, flushed and renamed, so that a stick that
is pulled out leaves no half file; doing it again goes on.
"""

from __future__ import annotations

import filecmp
import hashlib
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ml_runtime.models.caches import hugging_face_folder, kaggle_folder, torch_folder, zoo_folder
from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.errors import DiskFull, FileMissing, RequestFailed, from_os_error
from schemas.models import ImportedWeights, WeightFile
from survey import atomic
from survey.paths import path_to_wire

_CHUNK_BYTES = 1024 * 1024
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")
_ZIPPED = {".pt", ".pth", ".ckpt", ".model"}
_LEFT_OVER = (".incomplete", ".lock", atomic.ASIDE_SUFFIX)


@dataclass(frozen=True, slots=True)
class _Move:
    """A file, or a link of a Hugging Face cache, and its place here."""

    source: Path
    target: Path

    @property
    def link(self) -> str | None:
        """Where it points to, when it is a link to its own cache."""
        if not self.source.is_symlink():
            return None
        to = self.source.readlink()
        return None if to.is_absolute() else str(to)


@dataclass
class _Meter:
    """How much of how much is copied."""

    total: int
    on_progress: Callable[[Progress], None]
    token: CancelToken
    done: int = 0

    def came(self, size: int, name: str) -> None:
        self.token.raise_if_cancelled()
        self.done += size
        percentage = 100 * self.done / self.total if self.total else 100.0
        progress = Progress(
            message=f"copying {name}", done=self.done, total=self.total, unit="bytes", percentage=percentage
        )
        self.on_progress(progress)


def import_weights(
    folder: Path, token: CancelToken, on_progress: Callable[[Progress], None], *, overwrite: bool = False
) -> ImportedWeights:
    """Copy the weights in the cache `folder` to where the models look for them.

    Raises
    ------
    FileMissing, PermissionRefused
        There is no such folder, it cannot be read, or it holds no cache.
    RequestFailed
        A file is damaged; or another is here under its name, and `overwrite` is not given. Nothing was copied.
    DiskFull, RequestCancelled
        What is copied so far is whole.
    """
    moves = _moves(folder)
    new = [move for move in moves if not _is_here(move, token)]
    _refuse_damaged(new, token, on_progress)
    if not overwrite:
        _refuse_conflicts(new)
    sizes = {move.source: 0 if move.link else move.source.stat().st_size for move in new}
    _refuse_full_disk(new, sizes)
    meter = _Meter(sum(sizes.values()), on_progress, token)
    for move in new:
        _copy(move, meter)
    files = tuple(WeightFile(path=path_to_wire(move.target), size_bytes=sizes[move.source]) for move in new)
    return ImportedWeights(imported=files, present=len(moves) - len(new))


def _moves(folder: Path) -> list[_Move]:
    if not folder.is_dir():
        raise FileMissing(f"There is no folder {folder} to import weights from.", path=folder)
    moves: dict[Path, _Move] = {}
    try:
        for source, target in _caches_in(folder):
            for file in _files_below(source):
                moves.setdefault(target / file, _Move(source / file, target / file))
    except OSError as error:
        raise from_os_error(error, folder, "read") from error
    if not moves:
        hint = (
            "It must hold the cache of torch (hub/checkpoints), of Hugging Face (models--...), of the model zoo "
            "(bioacoustics_model_zoo) or of kagglehub, as `~/.cache` does on the computer where models/prepare ran."
        )
        raise FileMissing(f"{folder} holds no weights of models.", path=folder, hint=hint)
    return list(moves.values())


def _caches_in(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The caches in `folder`, which may be one itself, or hold some as ~/.cache does; and their places here."""
    for inside in ("torch/hub/checkpoints", "hub/checkpoints", "checkpoints"):
        if (folder / inside).is_dir():
            yield folder / inside, torch_folder()
    if folder.name == "checkpoints":
        yield folder, torch_folder()
    for inside in ("huggingface/hub", "hub", ""):
        for repository in sorted((folder / inside).glob("models--*")):
            yield repository, hugging_face_folder() / repository.name
    if folder.name.startswith("models--"):
        yield folder, hugging_face_folder() / folder.name
    zoo = folder if folder.name == "bioacoustics_model_zoo" else folder / "bioacoustics_model_zoo"
    if zoo.is_dir():
        yield zoo, zoo_folder()
    for inside in ("kagglehub", ""):
        if folder.name == "kagglehub" or inside:
            yield folder / inside / "models", kaggle_folder() / "models"


def _files_below(folder: Path) -> list[Path]:
    """All files, relative to `folder`; what they are linked to before the links."""
    found = [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]
    whole = [path for path in found if not path.name.endswith(_LEFT_OVER) and not path.name.startswith("._")]
    return [path.relative_to(folder) for path in sorted(whole, key=lambda path: (path.is_symlink(), path))]


def _is_here(move: _Move, token: CancelToken) -> bool:
    token.raise_if_cancelled()
    if not move.target.exists():
        return False
    try:
        return filecmp.cmp(move.source, move.target, shallow=False)
    except OSError as error:
        raise from_os_error(error, move.source, "read") from error


def _refuse_damaged(moves: list[_Move], token: CancelToken, on_progress: Callable[[Progress], None]) -> None:
    on_progress(Progress(message="checking the files"))
    for move in moves:
        try:
            damage = _damage(move, token)
        except OSError as error:
            raise from_os_error(error, move.source, "read") from error
        if damage:
            hint = "Copy it again from the computer where it was fetched. Nothing was imported."
            raise RequestFailed(f"{move.source} {damage}.", path=move.source, hint=hint)


def _damage(move: _Move, token: CancelToken) -> str | None:
    """What is wrong with a file, as far as its name and its own checksums tell."""
    file = move.source
    if not file.exists():
        return "is a link to a file that was not copied with it"
    if move.link:
        return _stray_link(move)
    if _SHA256.match(file.name) and _sha256(file, token) != file.name:
        return "is damaged: its content is not that of its name"
    named = _HASH_IN_NAME.search(file.name)
    if named and move.target.parent == torch_folder() and not _sha256(file, token).startswith(named.group(1)):
        return "is damaged: its content is not that of its name"
    if file.suffix in _ZIPPED and file.stat().st_size == 0:
        return "is empty"
    return _broken_archive(file) if file.suffix in _ZIPPED else None


def _stray_link(move: _Move) -> str | None:
    """A link in a repository of Hugging Face's points to a file of the same repository."""
    repository = next((parent for parent in move.source.parents if parent.name.startswith("models--")), None)
    inside = repository is not None and move.source.resolve().is_relative_to(repository.resolve())
    return None if inside else "is a link out of its cache"


def _broken_archive(file: Path) -> str | None:
    """Torch writes zip archives; one that was cut off has no directory at its end."""
    with file.open("rb") as stream:
        begins_as_zip = stream.read(2) == b"PK"
    if not begins_as_zip:
        return None
    if not zipfile.is_zipfile(file):
        return "is cut off"
    with zipfile.ZipFile(file) as archive:
        return "is damaged" if archive.testzip() else None


def _sha256(file: Path, token: CancelToken) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            token.raise_if_cancelled()
            digest.update(chunk)
    return digest.hexdigest()


def _refuse_conflicts(moves: list[_Move]) -> None:
    for move in moves:
        # What a branch of a repository stands for changes with every release; that alone is no conflict.
        if move.target.exists() and move.source.parent.name != "refs":
            hint = "To replace it, import with `overwrite: true`. Nothing was imported."
            message = f"{move.target} is here already, and is not the same as {move.source}."
            raise RequestFailed(message, path=move.target, hint=hint)


def _refuse_full_disk(moves: list[_Move], sizes: dict[Path, int]) -> None:
    needed: dict[Path, int] = {}
    for move in moves:
        existing = next(parent for parent in move.target.parents if parent.exists())
        needed[existing] = needed.get(existing, 0) + sizes[move.source]
    # Folders of one drive share its room.
    by_drive: dict[int, tuple[Path, int]] = {}
    for folder, size in needed.items():
        drive = folder.stat().st_dev
        by_drive[drive] = (folder, by_drive.get(drive, (folder, 0))[1] + size)
    for folder, size in by_drive.values():
        free = shutil.disk_usage(folder).free
        if size > free:
            message = f"The weights need {size / 1e6:.0f} MB in {folder}, where {free / 1e6:.0f} MB are free."
            raise DiskFull(message, path=folder, hint="Free some space and try again.")


def _copy(move: _Move, meter: _Meter) -> None:
    try:
        move.target.parent.mkdir(parents=True, exist_ok=True)
        if move.link:
            _link(move.target, move.link)
            return
    except OSError as error:
        raise from_os_error(error, move.target, "write") from error
    with atomic.written_aside(move.target) as aside, move.source.open("rb") as source, aside.open("wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            file.write(chunk)
            meter.came(len(chunk), move.source.name)


def _link(target: Path, to: str) -> None:
    aside = atomic.aside_of(target)
    try:
        aside.symlink_to(to)
        aside.replace(target)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()
