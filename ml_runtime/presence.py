"""Is a recording that cannot be read damaged, or gone? And is it alone, or is the folder of all recordings gone?

What lives here: that look at the disk. What must not: reading sound, or what becomes of the recording.

A drive that is unplugged leaves no folder, or the empty folder that it was mounted on. What could not be read of its
recordings says nothing about them, so the job has to stop until they are back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rpc.errors import FileMissing, InputGone, RequestFailed
from schemas.config import InputConfig
from survey.paths import path_from_wire


class Presence:
    """Knows the folders from which `chosen` takes recordings."""

    def __init__(self, chosen: InputConfig) -> None:
        folders = [path_from_wire(text) for text in chosen.folders]
        self._folders: Sequence[Path] = sorted(folders, key=lambda folder: len(folder.parts), reverse=True)

    def loss_of(self, path: Path) -> RequestFailed | None:
        """Why the recording at `path` is not there any more; None where it is.

        Raises
        ------
        rpc.errors.InputGone
            The whole folder that it belongs to is gone.
        """
        if _can_be_looked_at(path):
            return None
        folder = next((folder for folder in self._folders if path.is_relative_to(folder)), path.parent)
        if not _holds_anything(folder):
            message = f"The folder {folder} is gone: a drive may have been unplugged."
            raise InputGone(message, path=folder, hint="Plug it in again and resume the job.")
        return FileMissing(f"{path} has vanished.", path=path)


def _can_be_looked_at(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _holds_anything(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
