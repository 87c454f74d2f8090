"""Formats that libsndfile does not know, through the user's own ffmpeg.

What lives here: finding ffmpeg, decoding a whole recording once into a temporary WAV, keeping a few of those. What
must not: a decoder of our own; ffmpeg is not shipped, for its licence and its patents are the user's affair.

A compressed format's seeks are only as right as its container, so the recording is decoded from its beginning, once;
what is read then is read out of the WAV. The WAVs are removed when the process ends or others need their room.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path

from rpc.cancel import CancelToken
from rpc.errors import DecodeFailed
from survey.decoders.libsndfile import SoundFileDecoder

EXTENSIONS = frozenset({".m4a", ".aac", ".mp4", ".wma"})
"""In lower case: what is handed to ffmpeg."""

_KEPT_BYTES = 4 << 30
_PREFIX = "dipper-decoded-"
_ABANDONED_SECONDS = 24 * 3600.0
_HINT = "Install ffmpeg (ffmpeg.org) so that it is found on the PATH, or convert the recording to WAV or FLAC."

_Key = tuple[Path, int, int]


class _Decoded:
    """Temporary WAVs by recording, the least recently used first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._working: dict[_Key, threading.Lock] = {}
        self._files: OrderedDict[_Key, Path] = OrderedDict()
        self._folder: Path | None = None

    def get(self, path: Path, token: CancelToken) -> Path:
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        with self._lock:
            one_at_a_time = self._working.setdefault(key, threading.Lock())
        with one_at_a_time:
            with self._lock:
                found = self._files.get(key)
                if found is not None and found.exists():
                    self._files.move_to_end(key)
                    return found
            decoded = _decode(path, self._new_name(), token)
            with self._lock:
                self._files[key] = decoded
                self._make_room()
            return decoded

    def _new_name(self) -> Path:
        with self._lock:
            if self._folder is None:
                _sweep_abandoned()
                self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            descriptor, name = tempfile.mkstemp(suffix=".wav", dir=self._folder)
            os.close(descriptor)
            return Path(name)

    def _make_room(self) -> None:
        """Remove the oldest, never the last. Whoever has one open goes on reading it (on Windows it stays)."""
        total = sum(path.stat().st_size for path in self._files.values())
        while total > _KEPT_BYTES and len(self._files) > 1:
            _, path = self._files.popitem(last=False)
            total -= path.stat().st_size
            try:
                path.unlink()
            except OSError:
                continue


def _sweep_abandoned() -> None:
    """Remove what processes have left that were killed. A running one decodes anew what it misses."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


_DECODED = _Decoded()


class FfmpegDecoder(SoundFileDecoder):
    """A recording decoded by ffmpeg, when it is first opened.

    Raises
    ------
    rpc.errors.DecodeFailed
        There is no ffmpeg, or it cannot read this file.
    rpc.errors.RequestCancelled
    OSError
    """

    def __init__(self, path: Path, token: CancelToken) -> None:
        super().__init__(str(_DECODED.get(path, token)))
        self.format, self.subtype = path.suffix[1:].upper(), "FFMPEG"


def _decode(path: Path, target: Path, token: CancelToken) -> Path:
    program = shutil.which("ffmpeg")
    if program is None:
        raise DecodeFailed(f"{path} can only be read with ffmpeg, which is not installed here.", path=path, hint=_HINT)
    command = [program, "-nostdin", "-v", "error", "-y", "-i", _argument(path), "-map", "0:a:0", "-vn", "-sn", "-dn"]
    command += ["-c:a", "pcm_f32le", "-rf64", "auto", "-f", "wav", _argument(target)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_environment(),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    ) as process:
        token.on_cancel(process.kill)
        _, said = process.communicate()
    if process.returncode != 0:
        target.unlink(missing_ok=True)
        token.raise_if_cancelled()
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it gave no reason"]
        raise DecodeFailed(f"{path} cannot be read as a recording: ffmpeg says: {last[0]}.", path=path)
    return target


def _argument(path: Path) -> str:
    # Without the protocol, ffmpeg takes a colon in a name for one.
    return f"file:{path}"


def _environment() -> dict[str, str]:
    """Ours, without what a frozen program leaves in it: ffmpeg must load its own libraries."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("_PYI_")}
    original = environment.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is not None:
        environment["LD_LIBRARY_PATH"] = original
    elif getattr(sys, "frozen", False):
        environment.pop("LD_LIBRARY_PATH", None)
    return environment
