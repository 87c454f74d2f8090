"""Score tables side by side with pandas: opening, opening again, questions; how both grow; and a season's table.

pandas reads the file with read_csv and answers with the usual calls. Every opening runs in a process of its own, so
that its memory can be told: the highest resident size, imports included. Both take turns, so that what else the machine
does hits them alike. Prints tables and, with --check, exits 1 where a bar is missed. Takes some five minutes, --quick
one, in which the bars that are about large tables cannot all be met; --only runs a part.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CLASSES = 200
MB = 1024  # ru_maxrss counts KiB
LOGIT = "CAST(ln((hash({row}, {k}) % 1000003 + 1) / (1000004.0 - hash({row}, {k}) % 1000003)) AS FLOAT)"
FILE = (
    "printf('/data/site%02d/S%02d_%s.WAV', {clip} // 720 % 20, {clip} // 720 % 20, "
    "strftime(TIMESTAMP '2024-05-01' + INTERVAL ({clip} // 720) HOUR, '%Y%m%d_%H%M%S')) AS file"
)
TIMES = "({clip} % 720) * 5.0 AS start_time, ({clip} % 720) * 5.0 + 5.0 AS end_time"

Question = Callable[[], object]


# Tables.


def name_of(k: int) -> str:
    return f"Genus{k:03d} species{k:03d}"


def dense_table(path: Path, rows: int, classes: int) -> Path:
    """Logits of clips of 5 s in recordings of an hour, as OpenSoundscape writes them."""
    scores = ", ".join(f'{LOGIT.format(row="r", k=k)} AS "{name_of(k)}"' for k in range(classes))
    query = f"SELECT {FILE.format(clip='r')}, {TIMES.format(clip='r')}, {scores} FROM range({rows}) t(r)"
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT csv, HEADER)")
    return aged(path)


def sparse_table(path: Path, clips: int, folder: Path) -> Path:
    """500 classes, of which each clip has ten scores."""
    pairs = (
        f"SELECT clip, j * 50 + CAST(hash(clip, j) % 50 AS INTEGER) AS k "
        f"FROM (SELECT clip, unnest(range(10)) AS j FROM range({clips}) t(clip))"
    )
    query = (
        f"SELECT {FILE.format(clip='clip')}, {TIMES.format(clip='clip')}, "
        f"printf('Genus%03d species%03d', k, k) AS class, {LOGIT.format(row='clip', k='k')}::DOUBLE AS score "
        f"FROM ({pairs})"
    )
    connection = duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(folder / "generating")})
    connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    connection.close()
    return aged(path)


def aged(path: Path) -> Path:
    """As if written a while ago: what was written this moment is not kept."""
    os.utime(path, (time.time() - 3600,) * 2)
    return path


# One process: opens a table, asks it, and tells what that took.


def child(kind: str, path: Path, cache: Path) -> None:
    start = time.perf_counter()
    if kind == "pandas":
        import pandas as pd

        imported = time.perf_counter()
        table = pd.read_csv(path)
        opened = time.perf_counter()
        questions = pandas_questions(table)
    else:
        from rpc.cancel import CancelToken
        from schemas.scores import LoadParams
        from sidecar.scores.session import ScoreSession

        duckdb.connect().close()
        imported = time.perf_counter()
        session = ScoreSession(cache)
        described = session.load(LoadParams(path=str(path)), CancelToken())
        opened = time.perf_counter()
        questions = our_questions(session, described)
    peak = highest_memory()
    rounds = {"pandas": 3, "ours": 0, "asked": 15}[kind]
    answers = {name: timed(question, rounds) for name, question in questions.items()} if rounds else {}
    result = {"import": imported - start, "open": opened - imported, "peak": peak, "peak asked": highest_memory()}
    print(json.dumps({**result, "answers": answers}))


def highest_memory() -> float:
    """MB of this process. On Linux not from getrusage, which also counts what its parent had when it was started."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / MB


def timed(question: Question, rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        question()
        times.append(time.perf_counter() - start)
    return times


def pandas_questions(table) -> dict[str, Question]:  # pandas is imported in its own process alone
    import numpy as np

    names = list(table.columns[3:])
    name = random.Random(0)
    keys = ["file", "start_time", "end_time"]

    def one():
        return name.choice(names)

    def stratified():
        column = one()
        bins = np.digitize(table[column], np.linspace(table[column].min(), table[column].max(), 11))
        return table[[*keys, column]].groupby(bins).sample(1, random_state=0)

    def by_site():
        column = one()
        reached = table[table[column] >= 1]
        return reached.groupby(reached["file"].str.rsplit("/", n=1).str[0])[column].agg(["count", "max"])

    return {
        "histogram": lambda: np.histogram(table[one()].dropna(), 50),
        "page": lambda: table[[*keys, c := one()]].sort_values(c, ascending=False).iloc[:100],
        "page, deep": lambda: table[[*keys, c := one()]].sort_values(c, ascending=False).iloc[-200:-100],
        "page, in a range": lambda: table[table[c := one()].between(0, 1)][[*keys, c]].sort_values(c).iloc[:100],
        "sample, top": lambda: table[[*keys, c := one()]].nlargest(12, c),
        "sample, random": lambda: table[[*keys, one()]].sample(12, random_state=0),
        "sample, stratified": stratified,
        "summary by site": by_site,
    }


def our_questions(session, described) -> dict[str, Question]:
    from rpc.cancel import CancelToken
    from schemas.detections import SampleParams
    from schemas.scores import HistogramParams, PageParams, SummaryParams
    from sidecar.scores.histogram import histogram_of
    from sidecar.scores.page import page_of
    from sidecar.scores.sampling import sample_detections
    from sidecar.scores.summary import summary_of

    table, token, chance = session.get(described.scores_id), CancelToken(), random.Random(0)

    def base() -> dict[str, str]:
        return {"scores_id": described.scores_id, "class_": chance.choice(described.classes).name}

    def page(**more: object) -> Question:
        return lambda: page_of(table, PageParams(**base(), **more), token)

    def sample(strategy: str, group_by: str | None = None) -> Question:
        asked = {"strategy": strategy, "group_by": group_by, "seed": 0}
        return lambda: sample_detections(table, SampleParams(**base(), **asked), token)

    def summary(by: str) -> Question:
        return lambda: summary_of(table, SummaryParams(**base(), by=by, threshold=1.0), token)

    _ = table.places().site, table.places().began  # where and when recordings were made is found out once
    total = sum(summary.count for summary in described.classes)
    every = {
        "all classes, page": lambda: page_of(table, PageParams(described.scores_id), token),
        "all classes, deep": lambda: page_of(
            table, PageParams(described.scores_id, offset=chance.randrange(total)), token
        ),
    }

    return {
        "histogram": lambda: histogram_of(table, HistogramParams(**base()), token),
        "page": page(),
        "page, deep": page(offset=min(summary.count for summary in described.classes) - 200),
        "page, in a range": page(score_range=(0.0, 1.0)),
        "sample, top": sample("top"),
        "sample, random": sample("random"),
        "sample, stratified": sample("stratified"),
        "sample by recording": sample("top", "file"),
        "sample by site": sample("random", "site"),
        "sample by date": sample("stratified", "date"),
        "summary by site": summary("site"),
        "summary by hour": summary("hour"),
        **({} if table.stored.content.wide else every),
    }


# Measuring.


def run_child(kind: str, path: Path, cache: Path) -> dict:
    command = [sys.executable, str(Path(__file__).resolve()), "--child", kind, str(path), str(cache)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)


def opened(path: Path, folder: Path, rounds: int) -> dict[str, list[dict]]:
    """pandas, our first opening and our second, in turns."""
    found: dict[str, list[dict]] = {"pandas": [], "first": [], "second": []}
    for number in range(rounds):
        cache = folder / f"cache-{path.stem}-{number}"
        found["pandas"].append(run_child("pandas", path, cache))
        found["first"].append(run_child("ours", path, cache))
        found["second"].append(run_child("asked", path, cache))
    return found


def middle(runs: list[dict], field: str) -> float:
    return statistics.median(run[field] for run in runs)


def report_opening(path: Path, found: dict[str, list[dict]]) -> list[tuple[str, float, float]]:
    size = path.stat().st_size / 1e6
    print(f"\nopening {path.name}, {size:.0f} MB: seconds and highest memory")
    for name, runs in found.items():
        print(f"  {name:8}{middle(runs, 'open'):8.2f} s{middle(runs, 'peak'):8.0f} MB")
    pandas, first, second = (middle(found[name], "open") for name in found)
    memory = middle(found["first"], "peak") / middle(found["pandas"], "peak")
    print(f"  memory {memory:.2f} of pandas' (bar 0.5), time {first / pandas:.2f} times pandas' (bar 2.5)")
    print(f"  the second opening takes 1/{pandas / second:.0f} of pandas' time, 1/{first / second:.0f} of ours (20)")
    return [
        ("memory of opening, pandas'/ours", 1 / memory, 2.0),
        ("time of opening, pandas'/ours", pandas / first, 1 / 2.5),
        ("second opening, against pandas", pandas / second, 20.0),
        ("second opening, against the first", first / second, 20.0),
    ]


def report_questions(found: dict[str, list[dict]]) -> list[tuple[str, float, float]]:
    results = []
    reading = middle(found["pandas"], "open")
    print(f"\nquestions, milliseconds; pandas reads the file for each{'':14}{'':9}p95   times as fast (bar 50)")
    for name in found["pandas"][0]["answers"]:
        pandas = reading + statistics.median(value for run in found["pandas"] for value in run["answers"][name])
        ours = [value for run in found["second"] for value in run["answers"][name]]
        ratio = pandas / statistics.median(ours)
        print(f"  {name:20} pandas {1000 * pandas:8.0f}   ours {1000 * statistics.median(ours):8.1f}", end="")
        print(f"{1000 * p95(ours):9.1f}{ratio:10.0f}")
        results.append((name, ratio, 50.0))
    return results


def p95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(0.95 * len(times)))]


def report_growth(folder: Path, sizes: list[int]) -> None:
    print("\nhow time and memory grow: a dense CSV of 50 classes")
    print("       rows      MB     pandas (with its import)    first opening               second opening")
    for rows in sizes:
        path = dense_table(folder / f"growth-{rows}.csv", rows, 50)
        found = opened(path, folder, 1)
        cells = "".join(f"{opening(runs)}{middle(runs, 'peak'):7.0f} MB" for runs in found.values())
        print(f"  {rows:9}{path.stat().st_size / 1e6:8.0f}{cells}")
        path.unlink()


def opening(runs: list[dict]) -> str:
    """The seconds of an opening, and with those of importing what it needs."""
    alone = middle(runs, "open")
    return f"{alone:8.2f} s ({alone + middle(runs, 'import'):5.2f})"


def report_season(folder: Path, clips: int) -> list[tuple[str, float, float]]:
    path = sparse_table(folder / "season.parquet", clips, folder)
    first = run_child("ours", path, folder / "cache-season")
    second = run_child("asked", path, folder / "cache-season")
    size = path.stat().st_size / 1e6
    print(f"\na season: {clips} clips of 500 classes, {10 * clips} scores, Parquet of {size:.0f} MB")
    print(f"  first opening {first['open']:.1f} s, {first['peak']:.0f} MB; second {second['open']:.2f} s")
    print("  questions about a class, milliseconds: median, p95 (bar 100)")
    for name, times in second["answers"].items():
        print(f"    {name:20}{1000 * statistics.median(times):8.1f}{1000 * p95(times):8.1f}")
    slowest = max(p95(times) for name, times in second["answers"].items() if not name.startswith("all classes"))
    return [
        ("opening a season, 10 s/ours", 10 / first["open"], 1.0),
        ("memory of a season, 1000 MB/ours", 1000 / first["peak"], 1.0),
        ("p95, 100 ms/ours", 0.1 / slowest, 1.0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the scores, one round")
    parser.add_argument("--check", action="store_true", help="exit 1 when a bar is missed")
    parser.add_argument("--only", choices=["dense", "growth", "season"])
    parser.add_argument("--child", nargs=3, metavar=("KIND", "PATH", "CACHE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        kind, path, cache = arguments.child
        return child(kind, Path(path), Path(cache))
    results: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory(prefix="bench-scores-") as name:
        folder = Path(name)
        if arguments.only in (None, "dense"):
            path = dense_table(folder / "dense.csv", 50_000 if arguments.quick else 200_000, CLASSES)
            found = opened(path, folder, 1 if arguments.quick else 3)
            results += report_opening(path, found) + report_questions(found)
            path.unlink()
        if arguments.only in (None, "growth"):
            report_growth(folder, [10_000, 100_000] if arguments.quick else [10_000, 100_000, 1_000_000])
        if arguments.only in (None, "season"):
            results += report_season(folder, 200_000 if arguments.quick else 2_000_000)
    missed = [f"{row}: {ratio:.2f}, the bar is {bar}" for row, ratio, bar in results if ratio < bar]
    print("\n" + ("every bar is met" if not missed else "MISSED: " + "; ".join(missed)))
    if missed and arguments.check:
        sys.exit(1)
    return None


if __name__ == "__main__":
    main()
