"""What one env/setup is to do; passed from step to step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid
from sidecar.environment.places import Places
from sidecar.environment.progress import OnProgress, ignore_progress


def nobody_uses_it(_folder: Path) -> None:
    """For callers of whom nobody uses an environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What else is asked of env/setup.

    Parameters
    ----------
    sha256
        What the archive must have, in hex; None: whatever it has.
    force
        Also where the environment is ready and was made from this archive.
    before_replacing
        Called with the folder of an environment that is about to go: to make others let go of it, or to refuse by
        raising.
    """

    token: CancelToken
    on_progress: OnProgress = ignore_progress
    sha256: str | None = None
    force: bool = False
    before_replacing: Callable[[Path], None] = nobody_uses_it


@dataclass(frozen=True, slots=True)
class Order:
    """Which archive (`url`: where it was downloaded from) becomes the environment in which place, and how."""

    archive: Path
    places: Places
    how: How
    url: str = ""

    @property
    def sha256(self) -> str | None:
        return self.how.sha256 and self.how.sha256.lower()

    @property
    def token(self) -> CancelToken:
        return self.how.token

    @property
    def on_progress(self) -> OnProgress:
        return self.how.on_progress

    @property
    def name(self) -> str:
        """What the user calls the archive."""
        return self.url.rpartition("/")[2] or self.archive.name

    def invalid(self, reason: str) -> ArchiveInvalid:
        """The error that says why the archive cannot be used."""
        return ArchiveInvalid(
            f"{self.name} is not a usable environment archive: {reason}.",
            path=self.url or self.archive,
            hint="Get the archive again, or one for this kind of computer.",
        )
