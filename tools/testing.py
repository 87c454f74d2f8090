"""`dev.py test`: the suites, each under the interpreter that it tests, and one closing line for all."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import setup
from tools.paths import BUILD, ROOT
from tools.processes import call


@dataclass(frozen=True)
class Outcome:
    """What a suite's report says. `crashed`: it ended without one, or with an error outside any test."""

    passed: int
    failed: int
    skipped: int
    crashed: bool


def run_tests(*, fast: bool, arguments: Sequence[str]) -> bool:
    """Set up what is missing, run both suites, print `N passed, N failed, N skipped`; whether all passed."""
    sidecar, ml = setup.ensure_sidecar_environment(), setup.ensure_ml_environment()
    if not fast:
        setup.ensure_archive()
    selection = ["-m", "not slow and not archive"] if fast else []
    outcomes = [
        _suite("sidecar", [sidecar, "-m", "pytest", "tests", "--ignore=tests/ml_runtime", *selection, *arguments]),
        _suite("ml_runtime", [ml, "-m", "pytest", "tests/ml_runtime", *selection, *arguments]),
    ]
    failed = sum(outcome.failed for outcome in outcomes) + sum(outcome.crashed for outcome in outcomes)
    passed, skipped = sum(outcome.passed for outcome in outcomes), sum(outcome.skipped for outcome in outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return failed == 0 and passed > 0


def _suite(name: str, command: list[str | Path]) -> Outcome:
    print(f"dev: tests of {name}", flush=True)
    report = BUILD / f"test-{name}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    code = call([*command, f"--junit-xml={report}"], cwd=ROOT)
    return _read(report, code)


def _read(report: Path, code: int) -> Outcome:
    if not report.exists():
        return Outcome(0, 0, 0, crashed=True)
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, skipped = (sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "skipped"))
    failed = sum(int(suite.get("failures", 0)) + int(suite.get("errors", 0)) for suite in suites)
    # pytest ends with 5 where the selection left no test; any other code with no failed test is a crash.
    return Outcome(tests - failed - skipped, failed, skipped, crashed=code not in (0, 5) and failed == 0)
