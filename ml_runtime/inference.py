"""Inference without a sidecar, for clusters and scripts: `python ml_runtime/inference.py --config config.json`.

What lives here: argv, the job folder's creation and state, progress as JSON lines. What must not: how a job is run
(run.py, the same code as the worker's).

stdout carries JSON, one object a line: {"progress": {...}} while it runs, then {"result": {...}} or {"error": {...}}.
The result is that of inference/run. Log lines go to stderr and into the job's log.txt.

Exit codes: 0 every recording is scored, but for those that are no sound (failures.csv, code 1002); 1 the job failed, or
a recording is missing or failed for any other reason (failures.csv); 2 wrong usage or a config that cannot be used; 75
stopped before the end (signal, full disk, memory used up, the folder of the recordings gone, job folder in use): go on
with `--resume JOB_FOLDER`. A process that was killed can be resumed too.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import msgspec

    from rpc.cancel import CancelToken
    from rpc.errors import RpcError
    from schemas.jobs import JobState
    from survey.job_folder import JobFolder, JobRecord

    Print = Callable[[str, msgspec.Struct], None]

_EXIT_FAILED = 1
_EXIT_USAGE = 2
_EXIT_RESUMABLE = 75


def main(argv: Sequence[str] | None = None) -> int:
    """Run or resume one job; the exit code is described above."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.config is None and arguments.resume is None:
        parser.error("give --config, or --resume to go on with a job")
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from rpc import logs
    from rpc.cancel import CancelToken
    from rpc.errors import RpcError
    from rpc.stdio import take_stdio

    # Libraries print: only this module may write to the real stdout.
    out = take_stdio().stdout
    logs.configure("info")
    if arguments.quiet:
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.WARNING)
    token = CancelToken()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: token.cancel())
    tell = _printer(out)
    try:
        folder = _open_folder(arguments)
        with folder.lock():
            return _run(folder, token, tell, trust=arguments.trust)
    except RpcError as error:
        tell("error", error.to_wire())
        return _exit_code(error)
    finally:
        logs.flush()


def _run(folder: JobFolder, token: CancelToken, tell: Print, *, trust: bool) -> int:
    """Run the job in `folder`, whose lock is held, and keep its job.json."""
    from contextlib import suppress
    from datetime import UTC, datetime

    from msgspec.structs import replace

    from ml_runtime import run, worker
    from ml_runtime.models.registry import ModelProvider
    from rpc.call import Progress
    from rpc.errors import InternalError, OutOfMemory, RpcError
    from survey.job_folder import model_name
    from survey.job_report import describe_job, report_job, with_events, with_outcome
    from survey.ledger import Ledger

    before = folder.read_record()
    if before.state == "running":
        # Its process died without a word, and this one holds the lock that it held.
        _enter_crash(folder, before)
    record = replace(before, state="running", started_at=_now(), ended_at=None, message=None, code=None)
    folder.write_record(record)
    tell("progress", Progress(kind="begin", title=record.name, job_id=record.job_id, job_folder=str(folder.path)))
    try:
        with worker.job_log(folder):
            outcome = run.run_job(
                folder, ModelProvider(), token, lambda p: tell("progress", replace(p, kind="report")), trust=trust
            )
    # Not only our own errors: job.json must never say "running" of a job that nobody runs.
    except Exception as error:
        failure = error if isinstance(error, RpcError) else InternalError(f"The job failed by a fault of ours: {error}")
        state = _state_after(failure)
        with suppress(RpcError):
            if isinstance(error, OutOfMemory):
                _enter_crash(folder, record)
            record = with_events(record, Ledger(folder.ledger_path).read(), datetime.now(UTC))
        folder.write_record(replace(record, state=state, ended_at=_now(), message=failure.message, code=failure.code))
        failure.job_id, failure.job_folder, failure.state = record.job_id, str(folder.path), state
        if failure is not error:
            logging.getLogger(__name__).exception("job %s", record.job_id)
        raise failure from error
    ended = replace(with_outcome(record, outcome), state=outcome.state, ended_at=_now())
    folder.write_record(ended)
    job = describe_job(str(folder.path), model_name(folder.read_config().model), ended)
    tell("result", report_job(job, ended, outcome))
    return 0 if outcome.state == "completed" and not _left_out(folder) else _EXIT_FAILED


def _enter_crash(folder: JobFolder, record: JobRecord) -> None:
    """What the run of `record` had in hand when it ended may be why it ended."""
    from survey.crashes import in_hand
    from survey.ledger import Crashed, Ledger, moment

    ledger = Ledger(folder.ledger_path)
    held = in_hand(ledger.read(), moment(record.started_at))
    ledger.append(*(Crashed(recording=recording) for recording in held))


def _state_after(error: RpcError) -> JobState:
    from rpc.errors import DiskFull, InputGone, RequestCancelled

    if isinstance(error, RequestCancelled):
        return "cancelled"
    return "paused" if isinstance(error, DiskFull | InputGone) else "failed"


def _left_out(folder: JobFolder) -> bool:
    """Whether a recording failed that may be sound: a script must not take the results for complete then."""
    import csv

    from rpc.errors import DecodeFailed

    # Not the outcome's failures, which are only the first hundred.
    with folder.failures_path.open(newline="", encoding="utf-8") as stream:
        return any(int(row["code"]) != DecodeFailed.code for row in csv.DictReader(stream))


def _open_folder(arguments: argparse.Namespace) -> JobFolder:
    """The job folder to work in: a new one, or the one to go on with.

    A config given with --resume must ask for the same scores as the job's own.
    """
    from datetime import UTC, datetime

    from rpc.errors import ConfigInvalid
    from survey.config import differences, load_config
    from survey.job_folder import JobFolder

    loaded = None if arguments.config is None else load_config(arguments.config)
    for warning in loaded.warnings if loaded else ():
        sys.stderr.write(f"{warning}\n")
    if arguments.resume is None:
        assert loaded is not None
        return JobFolder.create(loaded.config, datetime.now(UTC))
    folder = JobFolder.open(arguments.resume)
    if loaded is not None:
        changed = differences(folder.read_config(), loaded.config)
        if changed:
            message = f"The config differs from that of the job in {folder.path}: {', '.join(changed)}."
            raise ConfigInvalid(message, path=arguments.config, hint="Start a new job with it.")
    return folder


def _exit_code(error: RpcError) -> int:
    from rpc.errors import ConfigInvalid, OutOfMemory, RequestCancelled

    if isinstance(error, ConfigInvalid):
        return _EXIT_USAGE
    goes_on = error.retryable or isinstance(error, RequestCancelled | OutOfMemory)
    return _EXIT_RESUMABLE if goes_on else _EXIT_FAILED


def _printer(descriptor: int | None) -> Print:
    """Writes JSON lines; a reader that has gone away stops no job."""
    import msgspec

    def tell(name: str, value: Any) -> None:
        if descriptor is not None:
            line = msgspec.json.encode({name: value}) + b"\n"
            try:
                os.write(descriptor, line)
            except OSError:
                return

    return tell


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="inference.py", description="Score recordings with a model.")
    parser.add_argument("--config", type=Path, help="the config file; starts a new job unless --resume is given")
    parser.add_argument("--resume", type=Path, metavar="JOB_FOLDER", help="go on with the job in this folder")
    parser.add_argument("--trust", action="store_true", help="allow running code that the model file carries")
    parser.add_argument("--quiet", action="store_true", help="log warnings only")
    return parser


def _entry() -> int:
    code = 0
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else _EXIT_USAGE
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    # Not sys.exit: threads of native libraries may never end.
    os._exit(_entry())
