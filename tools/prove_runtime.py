"""Prove a packed ML environment: set it up where nobody built anything, and see what its interpreter loads.

    .venv/bin/python tools/prove_runtime.py environments/dipper_pytorch_env.tar.gz

What lives here: the proof. It uses the sidecar's own env/setup, so that what is proven is what users get.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rpc.cancel import CancelToken
from rpc.errors import RpcError
from sidecar.environment.locate import interpreter_in
from sidecar.environment.order import How
from sidecar.environment.progress import OnProgress
from sidecar.environment.setup import set_up
from sidecar.environment.verify import probe
from tools.runtime_prefix import C_LIBRARY

# Pillow opens it by name for right-to-left text where the system has it, and does without where not.
_OPTIONAL = re.compile(r"libfribidi\.so.*")


def foreign_libraries(libraries: tuple[str, ...], folder: Path) -> list[str]:
    """The loaded libraries that neither lie in the environment nor belong to the C library."""
    outside = [Path(path) for path in libraries if not Path(path).is_relative_to(folder)]
    return [str(path) for path in outside if not (C_LIBRARY.fullmatch(path.name) or _OPTIONAL.fullmatch(path.name))]


def prove(archive: Path, parent: Path) -> None:
    """Set `archive` up below `parent` and import the models' packages there.

    Raises
    ------
    SystemExit
        It cannot be set up, or a library came from outside.
    """
    folder = parent / "mit Leerzeichen und Umlaut ä"
    try:
        environment = set_up(folder, archive, How(token=CancelToken(), on_progress=_say_step()))
    except RpcError as error:
        sys.exit(f"proof: {error.message}")
    probed = probe(interpreter_in(folder), imports=True)
    foreign = foreign_libraries(probed.libraries, folder)
    if sys.platform == "linux" and foreign:
        sys.exit(f"proof: loaded from outside the environment: {', '.join(foreign)}")
    print(f"proof: {len(probed.libraries)} libraries, all from inside but the C library")
    print(f"proof: libpython is {environment.libpython_path}, imports take {probed.import_seconds:.1f} s", flush=True)


def _say_step() -> OnProgress:
    said: set[str] = set()

    def say(doing: str, _done: int, _total: int) -> None:
        if doing not in said:
            said.add(doing)
            print(f"proof: {doing}", flush=True)

    return say


def main(arguments: list[str]) -> int:
    """Prove the archive named on the command line."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    archive = Path(arguments[0]).absolute()
    # Beside the archive: the disk that has room for the archive is likely to have room for this.
    with tempfile.TemporaryDirectory(prefix="proof-", dir=archive.parent) as parent:
        prove(archive, Path(parent))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
