"""The ML environment: extraction side by side with Python's tarfile and with tar, and a check of what is there.

Uses the packed environment in environments/. Prints a table; with --check it exits 1 where a bar is missed: extraction
no slower than tarfile, env/check within 50 ms, a cancel answered within 1 s with nothing left.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rpc.cancel import CancelToken  # noqa: E402
from rpc.errors import RequestCancelled  # noqa: E402
from sidecar.environment.archive import extract_archive  # noqa: E402
from sidecar.environment.files import FileList, write_list  # noqa: E402
from sidecar.environment.locate import interpreter_in  # noqa: E402
from sidecar.environment.marker import Marker, watch, write_marker  # noqa: E402
from sidecar.environment.order import How  # noqa: E402
from sidecar.environment.setup import set_up  # noqa: E402
from sidecar.environment.verify import check_folder  # noqa: E402

ARCHIVE = ROOT / "environments" / "dipper_pytorch_env.tar.gz"
CHECK_MS, CANCEL_SECONDS = 50.0, 1.0


def by_tarfile(folder: Path) -> None:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder)


def by_tar(folder: Path) -> None:
    subprocess.run(["tar", "-xzf", ARCHIVE, "-C", folder], check=True)


def by_us(folder: Path) -> None:
    extracted = extract_archive(ARCHIVE, folder, CancelToken(), lambda *_: None)
    write_list(folder, FileList(extracted.files, extracted.links))
    watched = watch(folder, ["bin/python", "lib/python3.11/os.py"])
    write_marker(folder, Marker(state="ready", folder=str(folder), watched=watched))


def extraction(place: Path, rounds: int) -> dict[str, float]:
    """Seconds by way, the best of all rounds; the ways take turns, so that the machine's moods hit all."""
    ways: dict[str, Callable[[Path], None]] = {"tarfile": by_tarfile, "sidecar": by_us}
    if shutil.which("tar"):
        ways["tar"] = by_tar
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            folder = place / name
            folder.mkdir()
            started = time.perf_counter()
            way(folder)
            taken[name].append(time.perf_counter() - started)
            shutil.rmtree(folder)
    return {name: min(seconds) for name, seconds in taken.items()}


def check(place: Path) -> float:
    """Milliseconds of env/check without deep, the median of 50."""
    folder = place / "checked"
    folder.mkdir()
    by_us(folder)
    assert interpreter_in(folder).exists()
    taken = []
    for _ in range(50):
        started = time.perf_counter()
        assert check_folder(folder).status == "ready"
        taken.append(1000 * (time.perf_counter() - started))
    shutil.rmtree(folder)
    return statistics.median(taken)


def cancelling(place: Path, fraction: float) -> float:
    """Seconds from a cancel at `fraction` of the archive to the answer, with nothing left."""
    token, cancelled = CancelToken(), 0.0

    def cancel(doing: str, done: int, total: int) -> None:
        nonlocal cancelled
        if doing.startswith("extracting") and done >= fraction * total and not token.cancelled:
            cancelled = time.perf_counter()
            token.cancel()

    with contextlib.suppress(RequestCancelled):
        set_up(place / "cancelled", ARCHIVE, How(token=token, on_progress=cancel))
    seconds = time.perf_counter() - cancelled
    while list(place.iterdir()):  # a busy disk deletes for a while after the answer
        time.sleep(0.05)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 where a bar is missed")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to extract (default: the system's temporary folder)")
    options = parser.parse_args()
    if not ARCHIVE.exists():
        sys.exit("There is no packed environment: run `python3 dev.py build-runtime` first.")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        place = Path(folder)
        seconds = extraction(place, options.rounds)
        milliseconds = check(place)
        slowest = max(cancelling(place, fraction) for fraction in (0.3, 0.9))
    print(f"{ARCHIVE.resolve().name}, {ARCHIVE.stat().st_size / 1e6:.0f} MB")
    for name, taken in seconds.items():
        print(f"{'extract, ' + name:24} {taken:8.2f} s   {taken / seconds['tarfile']:5.2f} of tarfile's")
    print(f"{'check':24} {milliseconds:8.2f} ms  at most {CHECK_MS:.0f}")
    print(f"{'cancel while extracting':24} {slowest:8.2f} s   at most {CANCEL_SECONDS:.0f}")
    good = seconds["sidecar"] <= seconds["tarfile"] and milliseconds <= CHECK_MS and slowest <= CANCEL_SECONDS
    return 0 if good or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
