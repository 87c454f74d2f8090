"""env/remove: deleting an environment, and nothing that the user has put into its folder.

What lives here: telling the two apart. What must not: anything about archives.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import RequestFailed, from_os_error
from schemas.env import RemovedEnvironment
from sidecar.environment.files import FILES_NAME, read_list
from sidecar.environment.lock import hold
from sidecar.environment.marker import MARKER_NAME, has_marker
from sidecar.environment.places import Places
from sidecar.environment.progress import OnProgress

_COMPILED = "__pycache__"
_MOST_NAMED = 100
_POLL_SECONDS = 0.1


def remove_environment(
    folder: Path, *, token: CancelToken, on_progress: OnProgress, before_removing: Callable[[Path], None]
) -> RemovedEnvironment:
    """Delete the environment in `folder`; files that are not its own stay where they are.

    `before_removing` is called with the folder, so that nobody uses it any more; it may refuse by raising.

    Raises
    ------
    RequestFailed
        The folder was not made by env/setup.
    RequestCancelled
        Before anything was changed.
    """
    places = Places(folder.absolute())
    if not folder.parent.is_dir():
        return RemovedEnvironment(folder=str(places.folder), freed_bytes=0)
    with hold(places.lock, token, lambda: on_progress("waiting for another program that sets it up", 0, 0)):
        places.recover()
        _refuse_what_is_not_ours(places.folder)
        try:
            return _remove(places, token, on_progress, before_removing)
        except OSError as error:
            raise from_os_error(error, places.folder, "remove") from error


def _remove(
    places: Places, token: CancelToken, on_progress: OnProgress, before_removing: Callable[[Path], None]
) -> RemovedEnvironment:
    """First the user's files step aside, then the folder's name is free, then they come back.

    What is deleted is waited for, unless a cancel comes: then it goes on in the background.
    """
    folder = places.folder
    foreign = list(_foreign_files(folder))
    size = _size(folder, token) - sum((folder / path).lstat().st_size for path in foreign)
    token.raise_if_cancelled()
    before_removing(folder)
    for path in foreign:
        target = places.kept / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / path).rename(target)
    deleting = places.start_discarding(folder)
    if foreign:
        places.rename(places.kept, folder)
    on_progress("deleting", 0, 0)
    while deleting.is_alive() and not token.cancelled:
        deleting.join(_POLL_SECONDS)
    return RemovedEnvironment(
        folder=str(folder), freed_bytes=size, kept=tuple(str(folder / path) for path in foreign[:_MOST_NAMED])
    )


def _refuse_what_is_not_ours(folder: Path) -> None:
    empty = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not has_marker(folder) and not empty:
        raise RequestFailed(
            f"{folder} was not made by env/setup, so it is not removed.", path=folder, hint="Delete it yourself."
        )


def _foreign_files(folder: Path) -> Iterator[str]:
    """Files that env/setup did not put there; what Python compiled does not count. None where the list is lost."""
    listed = read_list(folder)
    if listed is None:
        return
    ours = {record.path for record in listed.files} | set(listed.links) | {MARKER_NAME, FILES_NAME}
    for path in _paths(folder):
        if path not in ours and _COMPILED not in path.split("/"):
            yield path


def _paths(folder: Path) -> Iterator[str]:
    """Every file and link below, relative, with forward slashes."""
    for root, folders, names in os.walk(folder):
        here = Path(root)
        names += [name for name in folders if (here / name).is_symlink()]
        yield from ((here / name).relative_to(folder).as_posix() for name in names)


def _size(folder: Path, token: CancelToken) -> int:
    total = 0
    for path in _paths(folder):
        token.raise_if_cancelled()
        total += (folder / path).lstat().st_size
    return total
