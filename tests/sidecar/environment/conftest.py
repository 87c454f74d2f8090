"""What the tests of the environment share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rpc.cancel import CancelToken
from sidecar.environment.order import How
from sidecar.environment.setup import set_up
from tests.sidecar.environment import tiny

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]  # the fake interpreters are shell scripts


class Machine:
    """A place for environments, whose neighbourhood can be compared before and after."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "place" / "environment"
        self.told: list[tuple[str, int, int]] = []

    def archive(self, entries=None, name: str = "env.tar.gz") -> Path:
        return tiny.write(self.root / "archives" / name, entries if entries is not None else tiny.environment())

    def set_up(self, archive: Path, *, folder: Path | None = None, token: CancelToken | None = None, **options):
        return set_up(
            folder or self.folder, archive, How(token=token or CancelToken(), on_progress=self._tell, **options)
        )

    def left_behind(self) -> list[str]:
        """Everything beside the archives."""
        return sorted(str(path.relative_to(self.root)) for path in (self.root / "place").rglob("*"))

    def doings(self) -> list[str]:
        return list(dict.fromkeys(doing for doing, _, _ in self.told))

    def _tell(self, doing: str, done: int, total: int) -> None:
        self.told.append((doing, done, total))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "place").mkdir()
    return Machine(tmp_path)
