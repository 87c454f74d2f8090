"""`dev.py test`: the suites, each under the interpreter that it tests, and one closing line for all."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from tools import setup
from tools.paths import BUILD, ROOT
from tools.processes import running

_WITH_PROCESSES = ("tests/e2e", "tests/rpc")
"""Tests that wait for processes more than they compute: they run beside the others."""
_ML = "tests/ml_runtime"


class Part(Enum):
    """How much is run; the value is pytest's choice of markers."""

    FAST = "not slow and not archive and not soak"
    USUAL = "not soak"
    ALL = ""


@dataclass(frozen=True)
class Outcome:
    """What a suite's report says. `crashed`: it ended without one, or with an error outside any test."""

    passed: int
    failed: int
    skipped: int
    crashed: bool


def run_tests(part: Part, arguments: Sequence[str]) -> bool:
    """Set up what is missing, run all suites at once, print `N passed, N failed, N skipped`; whether all passed."""
    sidecar, ml = setup.ensure_sidecar_environment(), setup.ensure_ml_environment()
    if part is not Part.FAST:
        setup.ensure_archive()
    options = [*(["-m", part.value] if part.value else []), *arguments]
    elsewhere = [f"--ignore={folder}" for folder in (*_WITH_PROCESSES, _ML)]
    suites: dict[str, list[str | Path]] = {
        "rooms": [sidecar, "tests", *elsewhere, *options],
        "ml_runtime": [ml, _ML, *options],
    }
    BUILD.mkdir(exist_ok=True)
    outcomes = []
    with ExitStack() as stack:
        meanwhile = {name: stack.enter_context(_in_background(name, command)) for name, command in suites.items()}
        print(f"dev: tests with processes of their own; those of {' and '.join(suites)} run meanwhile", flush=True)
        with _suite("processes", [sidecar, *_WITH_PROCESSES, *options]) as suite:
            outcomes.append(_outcome("processes", suite.wait()))
        for name, child in meanwhile.items():
            outcomes.append(_outcome(name, child.wait()))
            print(f"dev: tests of {name}\n{_log(name).read_text('utf-8', errors='replace')}", flush=True)
    failed = sum(outcome.failed for outcome in outcomes) + sum(outcome.crashed for outcome in outcomes)
    passed, skipped = sum(outcome.passed for outcome in outcomes), sum(outcome.skipped for outcome in outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return failed == 0 and passed > 0


@contextmanager
def _in_background(name: str, command: Sequence[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
    with _log(name).open("wb") as output, _suite(name, command, output) as child:
        yield child


def _log(name: str) -> Path:
    return BUILD / f"test-{name}.log"


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
