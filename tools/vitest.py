"""The desktop app's tests: its modules' by vitest, and the app in a browser where electron/e2e has its own."""

from __future__ import annotations

import json
from pathlib import Path

from tools.app import ensure_app
from tools.node import ensure_packages
from tools.outcome import Outcome
from tools.paths import BUILD, ELECTRON
from tools.processes import CommandFailed, call

_PROGRAM = ELECTRON / "node_modules" / "vitest" / "vitest.mjs"
_IN_A_BROWSER = ELECTRON / "e2e" / "vitest.config.ts"


def run_vitest(with_browser: bool) -> list[Outcome]:
    """Run the app's suites; those in a browser, for which it is built, only where asked for."""
    configurations = {"app": ELECTRON / "vitest.config.ts"}
    if with_browser and _IN_A_BROWSER.exists():
        configurations["app_in_a_browser"] = _IN_A_BROWSER
    return [_run(name, configuration) for name, configuration in configurations.items()]


def _run(name: str, configuration: Path) -> Outcome:
    try:
        node = ensure_app() if configuration == _IN_A_BROWSER else ensure_packages(ELECTRON)
    except CommandFailed as failure:
        print(f"dev: no tests of {name}: {failure}", flush=True)
        return Outcome(0, 0, 0, crashed=True)
    report = BUILD / f"test-{name}.json"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    print(f"dev: tests of {name}", flush=True)
    reporters = ["--reporter=default", "--reporter=json", f"--outputFile={report}"]
    command: list[str | Path] = [node.program, _PROGRAM, "run", "--config", configuration, *reporters]
    return read_report(report, call(command, cwd=ELECTRON, env=node.environment()))


def read_report(report: Path, code: int) -> Outcome:
    """What vitest wrote, and whether it failed outside any test: a file that cannot be loaded, say."""
    if not report.exists():
        return Outcome(0, 0, 0, crashed=True)
    read = json.loads(report.read_bytes())
    passed, failed = read["numPassedTests"], read["numFailedTests"]
    skipped = read["numPendingTests"] + read["numTodoTests"]
    return Outcome(passed, failed, skipped, crashed=(code != 0 or not read["success"]) and failed == 0)
