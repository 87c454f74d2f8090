"""The sidecar's command line: settings, logging, serve.

What lives here: argv, and the only place that touches logging and leaves the process. What must not: methods.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from typing import TYPE_CHECKING

from schemas.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

_EXIT_USAGE = 2
_EXIT_CRASH = 70


def main(argv: list[str] | None = None) -> int:
    """Serve JSON-RPC 2.0 on stdin and stdout until the client leaves; the exit code (see docs/protocol.md)."""
    arguments = _parser().parse_args(argv)
    # What a start makes stays: looking for garbage in it is a fifteenth of the time, once and at every later look.
    gc.disable()
    _import_msgspec()
    from rpc import channel, logs
    from sidecar import app
    from sidecar.settings import Settings

    logs.configure(arguments.log_level, arguments.log_file)
    settings = Settings(
        arguments.state_folder,
        arguments.cache_folder,
        max_running_jobs=arguments.max_running_jobs,
        test_methods=arguments.test_methods,
    )
    services = app.build(settings)
    options = channel.Options(channel.ServerInfo(name="sidecar", version=VERSION), framing=arguments.framing)
    registry = app.registry(services)
    gc.freeze()
    gc.enable()
    return channel.serve(registry, options, services)


def _import_msgspec() -> None:
    """Import msgspec without typing_extensions, of which it needs nothing here: 15 ms of every start."""
    missing = "typing_extensions" not in sys.modules
    if missing:
        sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    import msgspec  # noqa: F401

    if missing:
        del sys.modules["typing_extensions"]


class _Help(argparse.HelpFormatter):
    """Of a fixed width: asking the terminal imports shutil, 3 ms of every start."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sidecar",
        description="Bioacoustics backend: JSON-RPC 2.0 on stdin and stdout, log lines on stderr.",
        formatter_class=_Help,
    )
    parser.add_argument("--framing", choices=["auto", "line", "header"], default="auto", help="default: what comes")
    parser.add_argument("--state-folder", type=_path, help="where the index of jobs is kept")
    parser.add_argument("--cache-folder", type=_path, help="where the ML environment and rendered clips are kept")
    parser.add_argument(
        "--max-running-jobs",
        type=_count,
        default=1,
        metavar="N",
        help="how many jobs run at once, each with a worker of its own; the others wait (default: 1)",
    )
    parser.add_argument("--log-file", type=_path, help="write log lines here too (10 MB, five older ones kept)")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    parser.add_argument("--version", action="version", version=f"sidecar {VERSION}")
    parser.add_argument("--test-methods", action="store_true", help=argparse.SUPPRESS)
    return parser


def _path(text: str) -> Path:
    from pathlib import Path  # 5 ms that a start without folders need not pay

    return Path(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of jobs")
    return int(text)


def _leave(code: int) -> None:
    """End now. Threads of handlers that did not end in their grace are not waited for."""
    from rpc import logs

    logs.flush()
    os._exit(code)


def run() -> None:
    """Run `main` and leave with its exit code; 70 after a crash, with the traceback on stderr."""
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else _EXIT_USAGE
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the last line of defence
        import traceback

        traceback.print_exc()
        code = _EXIT_CRASH
    _leave(code)


if __name__ == "__main__":
    run()
