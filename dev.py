#!/usr/bin/env python3
"""The one entry for people and CI: `python3 dev.py TASK`. Each task first sets up what it lacks.

Standard library only; runs with any Python >= 3.11 on Linux, macOS and Windows.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - before any import that an older Python could not parse
    sys.exit(f"This project needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

import argparse
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import setup
from tools.app import HOST, ensure_app
from tools.checks import run_checks
from tools.paths import BUILD, DEMO_OUTPUT, DEV_STATE, ENVIRONMENTS, ML, ROOT, VENV
from tools.processes import CommandFailed, call, run
from tools.testing import Part, Sidecars, run_tests


def demo(options: argparse.Namespace) -> None:
    """Set up, then score real sound through the sidecar and show what was found"""
    python = setup.ensure_sidecar_environment()
    archive = setup.ensure_archive()
    arguments: list[str | Path] = ["--archive", archive]
    if options.input is not None:
        arguments += ["--input", options.input.absolute()]
    if options.model is not None:
        # A model file is named relative to where the user is, a model of the zoo by its name.
        arguments += ["--model", Path(options.model).absolute() if Path(options.model).is_file() else options.model]
    if options.trust:
        arguments.append("--trust")
    _finish([python, "-m", "tools.demo", *arguments])


def test(options: argparse.Namespace) -> None:
    """The tests (--fast: without the slow ones; --all: with those that take minutes, as CI does)"""
    part = Part.FAST if options.fast else Part.ALL if options.all else Part.USUAL
    if not run_tests(part, Sidecars(options.sidecars), options.rest):
        sys.exit(1)


def check(_options: argparse.Namespace) -> None:
    """formatter, linter, types, architecture, contract up to date"""
    if not run_checks(setup.ensure_sidecar_environment()):
        sys.exit(1)


def app(options: argparse.Namespace) -> None:
    """The desktop app in a browser: prints its address, serves until it is ended (Ctrl-C)"""
    setup.ensure_sidecar_environment()
    node = ensure_app()
    given: list[str | Path] = ["--port", str(options.port), "--checkout", ROOT]
    for root in options.root:
        given += ["--root", root.absolute()]
    if options.data is not None:
        given += ["--data", options.data.absolute()]
    if options.no_open:
        given.append("--no-open")
    _finish([node.program, HOST, *given])


def contract(_options: argparse.Namespace) -> None:
    """Regenerate what is generated from the structs"""
    run([setup.ensure_sidecar_environment(), "-m", "tools.generate_contract"], cwd=ROOT)


def bench(options: argparse.Namespace) -> None:
    """The side-by-side benchmarks (all, or those named)"""
    python, _ = setup.ensure_sidecar_environment(), setup.ensure_ml_environment()
    folder = ROOT / "benchmarks"
    known = {path.stem: path for path in sorted([*folder.glob("*.py"), *folder.glob("*.mjs")]) if path.stem[0] != "_"}
    unknown = [name for name in options.rest if name not in known]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(known)}.")
    for name in options.rest or known:
        print(f"dev: benchmark {name}", flush=True)
        program = python if known[name].suffix == ".py" else ensure_app().program
        run([program, known[name]], cwd=ROOT)


def build_runtime(_options: argparse.Namespace) -> None:
    """The packed ML environment, environments/dipper_pytorch_env.tar.gz"""
    print(f"dev: {setup.ensure_archive()} is current")


def build_sidecar(options: argparse.Namespace) -> None:
    """The frozen sidecar, dist/sidecar/, and what takes the space in it"""
    given = [f"--{name}" for name in ("again", "twice") if getattr(options, name)]
    _finish([setup.ensure_sidecar_environment(), "-m", "tools.build_sidecar", *given])


def dist(_options: argparse.Namespace) -> None:
    """What a release attaches, dist/release/: sidecar and environment archive, packed, with their sums"""
    python = setup.ensure_sidecar_environment()
    setup.ensure_frozen_sidecar()
    setup.ensure_archive()
    _finish([python, "-m", "tools.release"])


def version(options: argparse.Namespace) -> None:
    """The version of the project: say it, raise it, close it for a release"""
    run([sys.executable, "-m", "tools.version", *options.rest], cwd=ROOT)
    if options.rest:
        contract(options)


def setup_environments(options: argparse.Namespace) -> None:
    """.venv and .ml only"""
    setup.ensure_sidecar_environment()
    setup.ensure_ml_environment(options.torch_index)
    print("dev: .venv and .ml are ready")


def clean(_options: argparse.Namespace) -> None:
    """Remove everything that was built"""
    for folder in (VENV, ML, BUILD, ROOT / "dist", DEMO_OUTPUT, DEV_STATE):
        if folder.exists():
            print(f"dev: removing {folder.relative_to(ROOT)}/", flush=True)
            shutil.rmtree(folder)
    for built in [*ENVIRONMENTS.glob("*.tar.gz"), *ENVIRONMENTS.glob("*.json")]:
        built.unlink()


TASKS: dict[str, Callable[[argparse.Namespace], None]] = {
    "demo": demo,
    "test": test,
    "check": check,
    "app": app,
    "contract": contract,
    "bench": bench,
    "build-sidecar": build_sidecar,
    "build-runtime": build_runtime,
    "dist": dist,
    "version": version,
    "setup": setup_environments,
    "clean": clean,
}


def _finish(command: Sequence[str | Path]) -> None:
    """Become `command`: on POSIX in this very process, so that a signal meant for the task reaches it."""
    if os.name == "posix":
        os.chdir(ROOT)
        sys.stdout.flush()
        os.execv(str(command[0]), [str(part) for part in command])
    sys.exit(call(command, cwd=ROOT))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py", description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    parsers = {
        name: tasks.add_parser(name, help=task.__doc__, description=task.__doc__) for name, task in TASKS.items()
    }
    parsers["demo"].add_argument("--input", type=Path, metavar="FOLDER", help="a folder of your own recordings")
    parsers["demo"].add_argument("--model", metavar="NAME|FILE", help="a model of the zoo, or a checkpoint file")
    parsers["demo"].add_argument("--trust", action="store_true", help="allow running code that the model file carries")
    parsers["app"].add_argument("--no-open", action="store_true", help="do not open a browser")
    parsers["app"].add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    root_help = "a folder whose files may be used, more than once (default: the home folder)"
    parsers["app"].add_argument("--root", type=Path, action="append", default=[], metavar="FOLDER", help=root_help)
    data_help = "where settings, logs, jobs and the ML environment are kept (default: ~/.dipper-web)"
    parsers["app"].add_argument("--data", type=Path, metavar="FOLDER", help=data_help)
    much = parsers["test"].add_mutually_exclusive_group()
    much.add_argument("--fast", action="store_true", help="leave out the slow tests")
    much.add_argument("--all", action="store_true", help="with fuzzing, chaos and scale, which take minutes")
    which = parsers["test"].add_mutually_exclusive_group()
    frozen_help = "build the frozen sidecar, and run against it the tests of conformance, sound, scores and jobs"
    frozen, both = Sidecars.FROZEN.value, Sidecars.BOTH.value
    which.add_argument("--frozen", dest="sidecars", action="store_const", const=frozen, help=frozen_help)
    which.add_argument("--both", dest="sidecars", action="store_const", const=both, help="from source, then frozen")
    parsers["test"].set_defaults(sidecars=Sidecars.SOURCE.value)
    parsers["test"].add_argument("rest", nargs="*", metavar="PYTEST_ARGUMENT", help="given to pytest, after --")
    parsers["bench"].add_argument("rest", nargs="*", metavar="NAME", help="only these benchmarks")
    parsers["version"].add_argument("rest", nargs=argparse.REMAINDER, metavar="NUMBER|--close", help="the next version")
    parsers["build-sidecar"].add_argument("--again", action="store_true", help="also where nothing has changed")
    parsers["build-sidecar"].add_argument("--twice", action="store_true", help="and again, and compare the two")
    parsers["setup"].add_argument("--torch-index", metavar="URL", help="package index for torch (its CPU builds, say)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the task named on the command line."""
    options = _parser().parse_args(arguments)
    try:
        TASKS[options.task](options)
    except (CommandFailed, setup.SetupError) as error:
        sys.exit(f"dev: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
