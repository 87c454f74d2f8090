"""Freeze the sidecar into dist/sidecar/ by sidecar.spec, see that it answers, print what takes the space.

Run by `python3 dev.py build-sidecar` with the interpreter of `.venv`; where nothing has changed it does not build. A
build that fails leaves the one before it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

from tools.freezing.likeness import differences
from tools.freezing.stamp import STAMP, digest, is_current
from tools.freezing.weight import table, weigh
from tools.paths import BUILD, FROZEN, ROOT
from tools.processes import CommandFailed, run

_WORK = BUILD / "sidecar"
_NEW = BUILD / "sidecar-new"
_REPLIES_SECONDS = 60.0


def main() -> int:
    """Build; the exit code."""
    parser = argparse.ArgumentParser(prog="dev.py build-sidecar", description=__doc__)
    parser.add_argument("--again", action="store_true", help="also where nothing has changed")
    parser.add_argument("--twice", action="store_true", help="build another one aside, and compare the two")
    parser.add_argument("--no-sizes", action="store_true", help="do not weigh what was built")
    options = parser.parse_args()
    made_from = digest()
    try:
        if options.again or not is_current(made_from):
            _build_anew(made_from)
        else:
            print(f"dev: {FROZEN.relative_to(ROOT)} is current")
        if options.twice:
            _compare_with_another()
    except (CommandFailed, BuildFailed) as error:
        print(f"dev: {error}")
        return 1
    return _tell(options)


def _build_anew(made_from: str) -> None:
    started = time.monotonic()
    build()
    STAMP.write_text(made_from)
    print(f"dev: {FROZEN.relative_to(ROOT)} was built in {time.monotonic() - started:.0f} s", flush=True)


def _compare_with_another() -> None:
    """See that the same inputs give the same files."""
    freeze()
    found = differences(FROZEN.parent, _NEW / "sidecar")
    shutil.rmtree(_NEW)
    if found:
        raise BuildFailed(f"Built again, {len(found)} files are different: {', '.join(found[:20])}")
    print("dev: built again, every file is the same", flush=True)


def _tell(options: argparse.Namespace) -> int:
    if not options.no_sizes:
        print(table(weigh(FROZEN.parent)))
    return 0


class BuildFailed(Exception):
    """What was built does not work."""


def can_freeze() -> bool:
    """Whether this interpreter has its library apart, as PyInstaller needs it. Windows' and macOS' always do."""
    return sys.platform in ("win32", "darwin") or bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))


def build() -> None:
    """Freeze aside, see that it answers, then take the place of what was there.

    Raises
    ------
    CommandFailed, BuildFailed
        PyInstaller failed or cannot work here; the executable does not answer as it should.
    """
    freeze()
    _see_that_it_answers(_NEW / "sidecar" / FROZEN.name)
    FROZEN.parent.parent.mkdir(exist_ok=True)
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(FROZEN.parent, ignore_errors=True)
    (_NEW / "sidecar").rename(FROZEN.parent)
    _NEW.rmdir()


def freeze() -> None:
    """Run PyInstaller; what it makes lies aside.

    Raises
    ------
    CommandFailed, BuildFailed
        It failed; it cannot work here.
    """
    if not can_freeze():
        raise BuildFailed(
            "PyInstaller needs a Python with a shared library (configure --enable-shared); this one is static."
        )
    print("dev: freezing the sidecar (a minute)", flush=True)
    shutil.rmtree(_NEW, ignore_errors=True)
    places: list[str | Path] = ["--workpath", _WORK, "--distpath", _NEW]
    command: list[str | Path] = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "WARN"]
    # With the hash seed free, the order in sets changes the bytes of what is frozen from build to build.
    run([*command, *places, ROOT / "sidecar.spec"], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"})


def _see_that_it_answers(executable: Path) -> None:
    """Ask for what loads every library in it: a clip with its spectrogram, and a table."""
    with tempfile.TemporaryDirectory() as scratch:
        requests = _requests(Path(scratch))
        command: list[str | Path] = [executable, "--state-folder", scratch, "--cache-folder", scratch]
        lines = [json.dumps({"jsonrpc": "2.0", "id": method, **call}) for method, call in requests.items()]
        try:
            finished = subprocess.run(
                command, input="\n".join(lines).encode(), capture_output=True, timeout=_REPLIES_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildFailed(f"The frozen sidecar cannot be asked: {error}") from error
    try:
        replies = [json.loads(line) for line in finished.stdout.splitlines()]
    except ValueError:
        replies = []
    results = {reply["id"]: reply["result"] for reply in replies if "result" in reply}
    if set(results) != set(requests) or not results["health"]["frozen"]:
        said = finished.stderr.decode(errors="replace")[-2000:]
        raise BuildFailed(f"The frozen sidecar does not answer as it should (exit code {finished.returncode}): {said}")


def _requests(folder: Path) -> dict[str, dict[str, Any]]:
    recording, table = folder / "silence.wav", folder / "scores.csv"
    with wave.open(str(recording), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    table.write_text("file,start_time,end_time,owl\nsilence.wav,0,0.5,1\n")
    clip = {"path": str(recording), "startSeconds": 0, "endSeconds": 0.5}
    calls = {"health": {}, "audio/clip": clip, "scores/load": {"path": str(table)}}
    return {method: {"method": method, "params": params} for method, params in calls.items()}


if __name__ == "__main__":
    sys.exit(main())
