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
from tools.outcome import Outcome
from tools.paths import BUILD, ROOT
from tools.processes import running
from tools.vitest import run_vitest
from tools.which_sidecar import VARIABLE

_WITH_PROCESSES = ("tests/e2e", "tests/rpc")
"""Tests that wait for processes more than they compute: they run beside the others."""
_ML = "tests/ml_runtime"


class Part(Enum):
    """How much is run; the value is pytest's choice of markers."""

    FAST = "not slow and not archive and not soak"
    USUAL = "not soak"
    ALL = ""


class Sidecars(Enum):
    """Which sidecar the tests meet."""

    SOURCE = "source"
    FROZEN = "frozen"
    BOTH = "both"


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
    "frozen_archive": (
        "tests/e2e/test_archive.py",
        "tests/tools/test_build_pipeline.py::test_what_was_built_can_be_passed_on",
    ),
    "frozen_ml_runtime": ("tests/ml_runtime/test_raven_export.py",),
}
"""The suites of `dev.py test --frozen` that start a sidecar by tools/which_sidecar.py."""

_LEFT_OUT = ("--ignore=tests/e2e/test_archive.py", "--ignore=tests/e2e/test_demo.py")
"""Of tests/e2e: what has a suite of its own, and the demo, whose sidecar is the same as that of the other tests."""

ON_THE_BUNDLE = (
    *("tests/sidecar/audio", "tests/sidecar/scores", "tests/sidecar/detections", "tests/sidecar/folders"),
    "--ignore=tests/sidecar/audio/test_imports.py",
    *("-m", Part.FAST.value),
)
"""The suite of `dev.py test --frozen` that imports the bundle's modules (tests/bundled.py): rooms that compute."""

_FEWER_EXAMPLES = "few"
"""Hypothesis' profile there: the same properties were tried at length on the same source."""


@dataclass(frozen=True)
class Interpreters:
    """The Python of `.venv`, and that of `.ml` where there can be one."""

    sidecar: Path
    ml: Path | None

    def of(self, suite: str) -> Path | None:
        """Which one runs a suite."""
        return self.ml if suite.endswith("ml_runtime") else self.sidecar


def run_tests(part: Part, sidecars: Sidecars, arguments: Sequence[str]) -> bool:
    """Set up what is missing, run the suites, print `N passed, N failed, N skipped`; whether all passed."""
    outcomes: list[Outcome] = []
    if sidecars is not Sidecars.FROZEN:
        outcomes += _run_source(part, arguments)
        # What follows `--` chooses among pytest's tests, so none of the others are meant.
        outcomes += [] if arguments else run_vitest(with_browser=part is not Part.FAST)
    if sidecars is not Sidecars.SOURCE:
        outcomes += _run_frozen(Part.USUAL if sidecars is Sidecars.BOTH and part is Part.ALL else part, arguments)
    failed = sum(outcome.failed for outcome in outcomes) + sum(outcome.crashed for outcome in outcomes)
    passed, skipped = sum(outcome.passed for outcome in outcomes), sum(outcome.skipped for outcome in outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return failed == 0 and passed > 0


def _run_source(part: Part, arguments: Sequence[str]) -> list[Outcome]:
    interpreters, options = _prepare(part, arguments)
    elsewhere = [f"--ignore={folder}" for folder in (*_WITH_PROCESSES, _ML)]
    return _run_suites(
        interpreters,
        {
            "processes": [*_WITH_PROCESSES, *options],
            "rooms": ["tests", *elsewhere, *options],
            "ml_runtime": [_ML, *options],
        },
    )


def _run_frozen(part: Part, arguments: Sequence[str]) -> list[Outcome]:
    interpreters, options = _prepare(part, arguments)
    os.environ[VARIABLE] = str(setup.ensure_frozen_sidecar())
    os.environ["HYPOTHESIS_PROFILE"] = _FEWER_EXAMPLES
    suites = {name: [*paths, *options] for name, paths in STARTING_A_SIDECAR.items()}
    suites["frozen_processes"] += _LEFT_OUT
    suites["frozen_bundle"] = ["-p", "tests.bundled", *ON_THE_BUNDLE, *arguments]
    return _run_suites(interpreters, suites)


def _prepare(part: Part, arguments: Sequence[str]) -> tuple[Interpreters, list[str]]:
    """Set up what the suites need: the interpreters, and what pytest is told."""
    interpreters = Interpreters(
        setup.ensure_sidecar_environment(), setup.ensure_ml_environment() if setup.can_install_ml() else None
    )
    if part is not Part.FAST:
        setup.ensure_archive()
    return interpreters, [*(["-m", part.value] if part.value else []), *arguments]


def _run_suites(interpreters: Interpreters, arguments: Mapping[str, Sequence[str]]) -> list[Outcome]:
    """Run the first suite to be seen, the others meanwhile."""
    suites: dict[str, list[str | Path]] = {}
    for name, given in arguments.items():
        python = interpreters.of(name)
        if python is None:
            print(f"dev: no tests of {name}: there are no PyTorch wheels for this platform", flush=True)
        else:
            suites[name] = [python, *given]
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
    return outcomes


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
