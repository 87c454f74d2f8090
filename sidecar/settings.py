"""What the command line decides for the whole process: where things are kept, how many jobs run at once.

Built once by __main__, never changed.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

_APPLICATION = "dipper-sidecar"


class Settings:
    """A folder that was not given is the platform's own place, found on first use."""

    def __init__(
        self,
        state_folder: Path | None = None,
        cache_folder: Path | None = None,
        *,
        max_running_jobs: int = 1,
        test_methods: bool = False,
    ) -> None:
        self._state_folder = state_folder
        self._cache_folder = cache_folder
        self.max_running_jobs = max_running_jobs
        self.test_methods = test_methods

    @cached_property
    def state_folder(self) -> Path:
        """Keeps the index of jobs. Absolute."""
        if self._state_folder is not None:
            return self._state_folder.absolute()
        return _platforms_own("state")

    @cached_property
    def cache_folder(self) -> Path:
        """Keeps what can be made again: the ML environment, clips, tables. Absolute."""
        if self._cache_folder is not None:
            return self._cache_folder.absolute()
        return _platforms_own("cache")


_XDG = {"state": ("XDG_STATE_HOME", ".local/state"), "cache": ("XDG_CACHE_HOME", ".cache")}


def _platforms_own(kind: Literal["state", "cache"]) -> Path:
    """Where the platform keeps such folders, as platformdirs has it.

    On Linux told here: health asks for it, and importing platformdirs takes a tenth of a start.
    """
    home = os.environ.get("HOME", "")
    if sys.platform == "linux" and os.path.isabs(home):  # noqa: PTH117
        from pathlib import Path

        variable, below_home = _XDG[kind]
        named = os.environ.get(variable, "")
        return (Path(named) if os.path.isabs(named) else Path(home, below_home)) / _APPLICATION  # noqa: PTH117
    import platformdirs

    find = platformdirs.user_state_path if kind == "state" else platformdirs.user_cache_path
    return find(_APPLICATION, appauthor=False).absolute()
