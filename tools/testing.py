"""`dev.py test`: the suites, each under the interpreter that it tests, and one closing line for all."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

from tools import setup
from tools.paths import BUILD, ROOT
from tools.processes import running
from tools.which_sidecar import VARIABLE

_WITH_PROCESSES = ("tests/e2e", "tests/rpc")
"""Tests that wait for processes more than they compute: they run beside the others."""
_ML = "tests/ml_runtime"


class Part(Enum):
    """How much is run; the value is pytest's choice of markers."""

    FAST = "not slow and not archive and not soak"
    USUAL = "not soak"
    ALL = ""


STARTING_A_SIDECAR: dict[str, tuple[str, ...]] = {
    "frozen_processes": ("tests/e2e",),
    "frozen_rooms": (
        "tests/tools/test_frozen_sidecar.py",
        "tests/rpc/test_conformance.py",
        "tests/rpc/test_connection.py",
        "tests/rpc/test_lifecycle.py",
        "tests/rpc/test_limits.py",
        "tests/rpc/test_lsp_jsonrpc_client.py",
        "tests/rpc/test_tracing.py",
        "tests/rpc/test_vscode_client.py",
        "tests/sidecar/environment/test_platforms.py",
        "tests/sidecar/handlers/test_env.py",
        "tests/sidecar/jobs/test_over_the_wire.py",
        "tests/sidecar/test_start.py",
    ),
    "frozen_ml_runtime": ("tests/ml_runtime/test_raven_export.py",),
}
"""The suites of `dev.py test --frozen`: whatever starts a sidecar by tools/which_sidecar.py."""


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
    return _run_suites(
        {
            "processes": [sidecar, *_WITH_PROCESSES, *options],
            "rooms": [sidecar, "tests", *elsewhere, *options],
            "ml_runtime": [ml, _ML, *options],
        }
    )


def run_frozen_tests(part: Part, arguments: Sequence[str]) -> bool:
    """As `run_tests`, with those alone that start a sidecar, which is the frozen one."""
    os.environ[VARIABLE] = str(setup.ensure_frozen_sidecar())
    sidecar, ml = setup.ensure_sidecar_environment(), setup.ensure_ml_environment()
    if part is not Part.FAST:
        setup.ensure_archive()
    options = [*(["-m", part.value] if part.value else []), *arguments]
    interpreters = {"frozen_processes": sidecar, "frozen_rooms": sidecar, "frozen_ml_runtime": ml}
    return _run_suites(
        {name: [python, *STARTING_A_SIDECAR[name], *options] for name, python in interpreters.items()},
    )


def _run_suites(suites: Mapping[str, Sequence[str | Path]]) -> bool:
    """Run the first suite to be seen, the others meanwhile; whether all passed."""
    first, *others = suites
    BUILD.mkdir(exist_ok=True)
    outcomes = []
    with ExitStack() as stack:
        meanwhile = {name: stack.enter_context(_in_background(name, suites[name])) for name in others}
        print(f"dev: tests of {first}; those of {' and '.join(others)} run meanwhile", flush=True)
        with _suite(first, suites[first]) as suite:
            outcomes.append(_outcome(first, suite.wait()))
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
