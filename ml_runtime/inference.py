"""Inference without a sidecar, for clusters and scripts: `python ml_runtime/inference.py --config config.json`.

With `--shard 3/20` it scores the third of twenty shares of the recordings, in a folder of that share's own below
`<output.folder>/<name>` or --job-folder; the same line again goes on with it. `--merge` joins what the shards have
scored (docs/hpc.md).

What lives here: argv, the job folder's creation and state, progress as JSON lines. What must not: how a job is run
(run.py, the same code as the worker's) or shards are joined (merge.py).

stdout carries JSON, one object a line: {"progress": {...}} while it runs, then {"result": {...}} or {"error": {...}}.
The result is that of inference/run, for --merge a MergeReport. Log lines go to stderr and into the job's log.txt.

Exit codes: 0 every recording is scored, but for those that are no sound (failures.csv, code 1002); 1 the job failed, or
a recording is missing or failed for any other reason (failures.csv, missing.csv); 2 nothing was begun: wrong usage, or
a config that cannot be used, with these recordings, on this disk; 75 stopped before the end (signal, full disk, memory
used up, the folder of the recordings gone, job folder in use): go on with `--resume JOB_FOLDER`, or with the same line
for a shard. A process that was killed can be resumed too.
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

    from ml_runtime.models.registry import ModelProvider
    from rpc.cancel import CancelToken
    from rpc.errors import RpcError
    from schemas.config import Config
    from schemas.jobs import JobState
    from survey.job_folder import JobFolder, JobRecord
    from survey.ledger import Ending
    from survey.shards import Shard

    Print = Callable[[str, msgspec.Struct], None]

_APPLICATION = "dipper-sidecar"
_EXIT_FAILED = 1
_EXIT_USAGE = 2
_EXIT_RESUMABLE = 75


def main(argv: Sequence[str] | None = None) -> int:
    """Run or resume one job; the exit code is described above."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    _check_usage(parser, arguments)
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
    begun = False
    try:
        if arguments.merge is not None:
            return _merge(arguments, token, tell)
        from ml_runtime.models.registry import ModelProvider

        provider = ModelProvider()
        folder, config = _open_folder(arguments, token, provider)
        with folder.lock():
            if arguments.shard is not None and config is not None:
                _begin_shard(folder, config, arguments.shard)
            begun = True
            return _run(folder, provider, token, tell, trust=arguments.trust)
    except RpcError as error:
        tell("error", error.to_wire())
        return _exit_code(error, begun=begun)
    finally:
        logs.flush()


def _run(folder: JobFolder, provider: ModelProvider, token: CancelToken, tell: Print, *, trust: bool) -> int:
    """Run the job in `folder`, whose lock is held, and keep its job.json."""
    from contextlib import suppress
    from datetime import UTC, datetime

    import platformdirs
    from msgspec.structs import replace

    from ml_runtime import run, worker
    from ml_runtime.pipeline.choices import Choices
    from rpc.call import Progress
    from rpc.errors import InternalError, OutOfMemory, RpcError
    from survey.job_folder import model_name
    from survey.job_report import describe_job, report_job, with_events, with_outcome
    from survey.ledger import Ledger

    before = folder.read_record()
    if before.state == "running":
        # Its process died without a word, and this one holds the lock that it held.
        _enter_crash(folder, before, "kill")
    record = replace(before, state="running", started_at=_now(), ended_at=None, message=None, code=None)
    folder.write_record(record)
    tell("progress", Progress(kind="begin", title=record.name, job_id=record.job_id, job_folder=str(folder.path)))
    try:
        with worker.job_log(folder):
            outcome = run.run_job(
                folder,
                provider,
                token,
                lambda p: tell("progress", replace(p, kind="report")),
                trust=trust,
                choices=Choices(platformdirs.user_cache_path(_APPLICATION, appauthor=False)),
            )
    # Not only our own errors: job.json must never say "running" of a job that nobody runs.
    except Exception as error:
        failure = error if isinstance(error, RpcError) else InternalError(f"The job failed by a fault of ours: {error}")
        state = _state_after(failure)
        with suppress(RpcError):
            if isinstance(error, OutOfMemory):
                _enter_crash(folder, record, "fault")
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


def _enter_crash(folder: JobFolder, record: JobRecord, ending: Ending) -> None:
    """What the run of `record` had in hand when it ended may be why it ended."""
    from survey.crashes import in_hand
    from survey.ledger import Crashed, Ledger, moment

    ledger = Ledger(folder.ledger_path)
    held = in_hand(ledger.read(), moment(record.started_at))
    ledger.append(*(Crashed(recording=recording, by=ending) for recording in held))


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


def _open_folder(
    arguments: argparse.Namespace, token: CancelToken, provider: ModelProvider
) -> tuple[JobFolder, Config | None]:
    """The job folder to work in, and the config given: a new folder, a shard's, or the one to go on with.

    Nothing is made before it is known that a run can start; the model is loaded already then.
    """
    from datetime import UTC, datetime

    from ml_runtime.planning import plan_run
    from survey.job_folder import JobFolder
    from survey.preflight import check_ready

    config = _config_of(arguments)
    if arguments.resume is not None:
        folder = JobFolder.open(arguments.resume)
        if config is not None:
            _refuse_changed(folder, config)
        return folder, config
    assert config is not None
    check_ready(config, token, trust=arguments.trust)
    model = provider.load(
        config.model, config.inference.device, trust=arguments.trust, token=token, tell=lambda message: None
    )
    plan_run(config, model)
    if arguments.shard is None:
        return JobFolder.create(config, datetime.now(UTC)), config
    folder = _shared_folder(arguments, config).shard(arguments.shard)
    folder.make()
    return folder, config


def _begin_shard(folder: JobFolder, config: Config, shard: Shard) -> None:
    """Begin or go on with a shard, whose lock is held; what its scores do not depend on is as `config` says now."""
    from datetime import UTC, datetime

    if folder.config_path.exists():
        _refuse_changed(folder, config)
    folder.begin(config, datetime.now(UTC), shard=shard)
    if folder.read_config() != config:
        folder.write_config(config)


def _merge(arguments: argparse.Namespace, token: CancelToken, tell: Print) -> int:
    """Join the shards; the exit code."""
    from datetime import UTC, datetime

    from ml_runtime.merge import merge
    from ml_runtime.shard_folders import find_shards, refuse_different
    from rpc.call import Progress

    config = _config_of(arguments)
    folder = _shared_folder(arguments, config)
    shards = find_shards(folder, arguments.merge)
    refuse_different(shards, config or shards[0].config, "the config given" if config else shards[0].label)
    config = config or shards[0].config
    folder.make()
    with folder.lock():
        folder.begin(config, datetime.now(UTC))
        if folder.read_config() != config:
            folder.write_config(config)
        report = merge(folder, shards, config, token, lambda message: tell("progress", Progress(message=message)))
    for warning in report.warnings:
        sys.stderr.write(f"{warning}\n")
    tell("result", report)
    return 0 if report.state == "completed" and not _left_out(folder) else _EXIT_FAILED


def _shared_folder(arguments: argparse.Namespace, config: Config | None) -> JobFolder:
    """The folder that the shards share."""
    from survey.job_folder import JobFolder

    if arguments.job_folder is not None:
        return JobFolder(arguments.job_folder.absolute())
    assert config is not None
    return JobFolder.shared(config)


def _config_of(arguments: argparse.Namespace) -> Config | None:
    from survey.config import load_config

    if arguments.config is None:
        return None
    loaded = load_config(arguments.config)
    for warning in loaded.warnings:
        sys.stderr.write(f"{warning}\n")
    return loaded.config


def _refuse_changed(folder: JobFolder, config: Config) -> None:
    """Raise ConfigInvalid unless `config` asks for the same scores as that of the job in `folder`."""
    from rpc.errors import ConfigInvalid
    from survey.config import differences

    changed = differences(folder.read_config(), config)
    if changed:
        message = f"The config differs from that of the job in {folder.path}: {', '.join(changed)}."
        raise ConfigInvalid(message, path=folder.config_path, hint="Start a new job with it.")


def _exit_code(error: RpcError, *, begun: bool) -> int:
    """`begun`: whether there is a job that could be gone on with."""
    from rpc.errors import Busy, ConfigInvalid, OutOfMemory, RequestCancelled

    if isinstance(error, ConfigInvalid):
        return _EXIT_USAGE
    if isinstance(error, RequestCancelled | Busy):
        return _EXIT_RESUMABLE
    if not begun:
        return _EXIT_USAGE
    return _EXIT_RESUMABLE if error.retryable or isinstance(error, OutOfMemory) else _EXIT_FAILED


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
    add = parser.add_argument
    add("--config", type=Path, help="the config file; starts a new job unless --resume is given")
    add("--resume", type=Path, metavar="JOB_FOLDER", help="go on with the job in this folder")
    add("--shard", metavar="3/20", help="score the third of twenty shares of the recordings, or go on with it")
    add(
        "--merge",
        type=Path,
        nargs="*",
        metavar="FOLDER",
        help="join the shards, also those in these folders, in one job",
    )
    add("--job-folder", type=Path, metavar="FOLDER", help="what the shards share; by default <output.folder>/<name>")
    add("--trust", action="store_true", help="allow running code that the model file carries")
    add("--quiet", action="store_true", help="log warnings only")
    return parser


def _check_usage(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """End with code 2 and the usage where arguments do not fit together. The shard is parsed."""
    from rpc.errors import ConfigInvalid
    from survey.shards import parse_shard

    modes = [name for name in ("resume", "shard", "merge") if getattr(arguments, name) is not None]
    if len(modes) > 1:
        parser.error(f"--{modes[0]} and --{modes[1]} do not go together")
    if arguments.job_folder is not None and modes[:1] not in (["shard"], ["merge"]):
        parser.error("--job-folder belongs to --shard and --merge")
    has_place = arguments.job_folder is not None and arguments.merge is not None
    if arguments.config is None and arguments.resume is None and not has_place:
        parser.error("give --config, or --resume to go on with a job")
    if arguments.shard is not None:
        try:
            arguments.shard = parse_shard(arguments.shard)
        except ConfigInvalid as error:
            parser.error(f"--shard: {error.message}")


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
