"""`dev.py test`: the suites, each under the interpreter that it tests, and one closing line for all."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tools import setup
from tools.paths import BUILD, ROOT
from tools.processes import running


@dataclass(frozen=True)
class Outcome:
    """What a suite's report says. `crashed`: it ended without one, or with an error outside any test."""

    passed: int
    failed: int
    skipped: int
    crashed: bool


def run_tests(*, fast: bool, arguments: Sequence[str]) -> bool:
    """Set up what is missing, run both suites at once, print `N passed, N failed, N skipped`; whether all passed."""
    sidecar, ml = setup.ensure_sidecar_environment(), setup.ensure_ml_environment()
    if not fast:
        setup.ensure_archive()
    selection = ["-m", "not slow and not archive"] if fast else []
    options = [*selection, *arguments]
    print("dev: tests of ml_runtime begin meanwhile; they are shown at the end", flush=True)
    log = BUILD / "test-ml_runtime.log"
    BUILD.mkdir(exist_ok=True)
    with log.open("wb") as output, _suite("ml_runtime", [ml, "tests/ml_runtime", *options], output) as meanwhile:
        print("dev: tests of sidecar", flush=True)
        with _suite("sidecar", [sidecar, "tests", "--ignore=tests/ml_runtime", *options]) as suite:
            outcomes = [_outcome("sidecar", suite.wait())]
        outcomes.append(_outcome("ml_runtime", meanwhile.wait()))
    print("dev: tests of ml_runtime", flush=True)
    print(log.read_text("utf-8", errors="replace"), flush=True)
    failed = sum(outcome.failed for outcome in outcomes) + sum(outcome.crashed for outcome in outcomes)
    passed, skipped = sum(outcome.passed for outcome in outcomes), sum(outcome.skipped for outcome in outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return failed == 0 and passed > 0


def _suite(
    name: str, command: Sequence[str | Path], output: IO[bytes] | None = None
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """The tests under the interpreter that `command` begins with, and its report among what was built."""
    python, *arguments = command
    report = _report(name)
    report.unlink(missing_ok=True)
    return running([python, "-m", "pytest", *arguments, f"--junit-xml={report}"], cwd=ROOT, output=output)


def _report(name: str) -> Path:
    return BUILD / f"test-{name}.xml"


def _outcome(name: str, code: int) -> Outcome:
    return _read(_report(name), code)


def _read(report: Path, code: int) -> Outcome:
    if not report.exists():
        return Outcome(0, 0, 0, crashed=True)
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, skipped = (sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "skipped"))
    failed = sum(int(suite.get("failures", 0)) + int(suite.get("errors", 0)) for suite in suites)
    # pytest ends with 5 where the selection left no test; any other code with no failed test is a crash.
    return Outcome(tests - failed - skipped, failed, skipped, crashed=code not in (0, 5) and failed == 0)
