"""What one env/setup is to do; passed from step to step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import ArchiveInvalid
from sidecar.environment.places import Places
from sidecar.environment.progress import OnProgress


@dataclass(frozen=True, slots=True)
class Order:
    """Which archive (`url`: where it was downloaded from) becomes the environment in which place.

    `before_replacing` is called with the folder of an environment that is about to go: to make others let go of it,
    or to refuse by raising.
    """

    archive: Path
    sha256: str | None
    places: Places
    token: CancelToken
    on_progress: OnProgress
    before_replacing: Callable[[Path], None]
    url: str = ""

    def invalid(self, reason: str) -> ArchiveInvalid:
        """The error that says why the archive cannot be used."""
        name = self.url.rpartition("/")[2] or self.archive.name
        return ArchiveInvalid(
            f"{name} is not a usable environment archive: {reason}.",
            path=self.url or self.archive,
            hint="Get the archive again, or one for this kind of computer.",
        )
