"""What the command line decides for the whole process. Built once by __main__, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_APPLICATION = "dipper-sidecar"


@dataclass(frozen=True, slots=True)
class Settings:
    """`state_folder` keeps the index of jobs, `cache_folder` what can be made again (environment, clips, tables)."""

    state_folder: Path
    cache_folder: Path
    test_methods: bool = False

    @classmethod
    def with_defaults(
        cls, state_folder: Path | None = None, cache_folder: Path | None = None, *, test_methods: bool = False
    ) -> Settings:
        """Settings in which a folder that was not given is the platform's own place for it."""
        # Imported here, because with both folders given nothing of it is needed.
        if state_folder is None or cache_folder is None:
            import platformdirs

            state_folder = state_folder or Path(platformdirs.user_state_dir(_APPLICATION, appauthor=False))
            cache_folder = cache_folder or Path(platformdirs.user_cache_dir(_APPLICATION, appauthor=False))
        return cls(state_folder.absolute(), cache_folder.absolute(), test_methods)
