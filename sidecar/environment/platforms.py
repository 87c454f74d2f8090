"""Which of several archives is this computer's.

What lives here: choosing among them, in a folder or at a URL. What must not: fetching an archive (download.py) or
reading one (archive.py).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, from_os_error
from sidecar.environment.naming import STEM, SUFFIXES, platform_tag

_LINUX_DRIVER = Path("/proc/driver/nvidia/version")


def archive_names() -> list[str]:
    """The archives that work here, the best first: for the graphics card where there is a driver for it."""
    variants = ("cuda", "cpu") if _has_cuda_driver() else ("cpu", "cuda")
    return [f"{STEM}-{platform_tag()}-{variant}{suffix}" for variant in variants for suffix in SUFFIXES]


def archive_in(folder: Path) -> Path:
    """This computer's archive among those in `folder`; else the one without a platform in its name.

    Raises
    ------
    FileMissing
        There is none; the message names those that are there.
    PermissionRefused
        The folder cannot be read.
    """
    try:
        there = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise from_os_error(error, folder, "read") from error
    for name in (*archive_names(), *(f"{STEM}{suffix}" for suffix in SUFFIXES)):
        if name in there:
            return folder / name
    others = [name for name in there if name.startswith(STEM) and name.endswith(SUFFIXES)]
    raise FileMissing(
        f"{folder} holds no environment archive for {platform_tag()}"
        + (f", only {', '.join(others)}." if others else "."),
        path=folder,
        hint=f"Put {archive_names()[0]} there, or name another folder.",
    )


def archive_at(url: str, token: CancelToken) -> str:
    """The URL of this computer's archive below `url`, which ends with a slash.

    It is known by the sum that is published beside each; where there are none, the first is taken at its word.

    Raises
    ------
    InvalidParams
        The address is not https.
    RequestCancelled
    """
    # Imported here: a sidecar that downloads nothing needs no HTTP.
    from sidecar.environment.download import published_sum
    from sidecar.environment.transfer import refuse_url

    refuse_url(url)
    names = archive_names()
    return url + next((name for name in names if published_sum(url + name, token) is not None), names[0])


def _has_cuda_driver() -> bool:
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvcuda.dll").exists()
    return _LINUX_DRIVER.exists()
