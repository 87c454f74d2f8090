"""conda-pack, so that the same prefix becomes the same archive: `python tools/pack_runtime.py ARGUMENTS`.

What lives here: the times of what is packed. What must not: what is packed (build_runtime.py).

Modules keep their time, for what is compiled names the time of its source. All else gets one time, and so do the files
that conda-pack adds.
"""

from __future__ import annotations

import os
import sys
import tarfile
from typing import Any

from conda_pack.cli import main

EPOCH = 1_577_836_800
"""2020-01-01."""
_ADDED = "bin/conda_unpack_progress.py"

_gettarinfo = tarfile.TarFile.gettarinfo


def _settled(archive: tarfile.TarFile, *arguments: Any, **options: Any) -> tarfile.TarInfo:
    info = _gettarinfo(archive, *arguments, **options)
    if not info.name.endswith(".py") or info.name == _ADDED:
        info.mtime = EPOCH
    return info


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("conda-pack keeps files in a set: without PYTHONHASHSEED=0 their order differs from build to build.")
    setattr(tarfile.TarFile, "gettarinfo", _settled)  # noqa: B010 - mypy knows the method's signature
    sys.exit(main())
