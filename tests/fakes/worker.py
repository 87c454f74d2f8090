"""A stand-in for ml_runtime/__main__.py: speaks the worker's protocol through rpc.channel, and behaves as told.

It is a fake, because the real worker needs the ML environment, and does not crash or lie on demand. How it
behaves is the name of the job's zoo model; parameters are the model's options. Scores that it writes are
real parts.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rpc import channel
from rpc.call import Call, Progress
from rpc.cancel import CancelToken
from rpc.errors import DiskFull, InputGone, ModelNotFound, OutOfMemory, WorkerCrashed
from rpc.methods import Handler, Method
from schemas.catalogue import WORKER_METHODS
from schemas.config import Config, ZooModel
from schemas.models import ModelEntry, ModelList
from schemas.worker import JobOutcome, ModelsParams, RunJobParams
from survey.job_folder import JobFolder
from survey.ledger import Stamp


def run(params: RunJobParams, call: Call) -> object:
    folder = JobFolder.open(params.job_folder)
    config = folder.read_config()
    assert isinstance(config.model, ZooModel)
    call.report(Progress(message="loading the model"))
    behaviour = config.model.name
    if behaviour == "unknown":
        raise ModelNotFound("There is no such model.", hint="Did you mean `known`?")
    call.report(Progress(message="scoring", done=0, total=10, unit="clips"))
    misbehave(behaviour, call, config.model.options)
    if behaviour in ONCE and is_first(folder):
        begin_recordings(folder, config)
        ONCE[behaviour]()
    if behaviour == "poison":
        pass_over_or_die(folder, config)
    return outcome(folder, config)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_out_of_memory() -> None:
    raise OutOfMemory("There is not enough memory to prepare a clip.")


ONCE: dict[str, Callable[[], None]] = {"dies once": die, "once out of memory": run_out_of_memory}
"""What is done by the first worker of a job, with its recordings in hand; the second one is well."""


def is_first(folder: JobFolder) -> bool:
    try:
        (folder.path / "first worker").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def begin_recordings(folder: JobFolder, config: Config) -> None:
    """Enter all recordings as begun, as reading ahead does."""
    from survey.ledger import Ledger, Started

    Ledger(folder.ledger_path).append(*(Started(recording=stamp) for stamp in stamps(config)))


def pass_over_or_die(folder: JobFolder, config: Config) -> None:
    """Die of the recordings, until they are guilty of it."""
    from survey.crashes import judge
    from survey.ledger import Ledger, moment

    verdicts = judge(Ledger(folder.ledger_path).read(), moment(folder.read_record().started_at))
    if not all(stamp in verdicts and verdicts[stamp].guilty for stamp in stamps(config)):
        begin_recordings(folder, config)
        die()


def stamps(config: Config) -> list[Stamp]:
    from survey.inputs import find_recordings

    recordings = find_recordings(config.input, CancelToken())
    return [Stamp(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in recordings]


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def misbehave(behaviour: str, call: Call, options: dict[str, object]) -> None:
    if behaviour in ("exit", "killed", "segfault"):
        say("Traceback: the last words")
    if behaviour == "warns and exits":
        say("UserWarning: you may want to know about TypedStorage")
        os._exit(7)
    if behaviour == "exit":
        os._exit(7)
    if behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "segfault":
        signal.raise_signal(signal.SIGSEGV)
    if behaviour == "waits":
        release = Path(str(options["release"]))
        while not release.exists():
            call.token.raise_if_cancelled()
            time.sleep(0.01)
    if behaviour == "late":
        time.sleep(0.2)  # and then it answers, whether anybody still wants to know or not
    if behaviour == "deaf":
        while True:
            time.sleep(1)
    if behaviour == "floods":
        for _ in range(20_000):
            sys.stdout.write("x" * 100 + "\n")
        os.write(1, b"y" * 1_000_000)
    if behaviour == "disk full":
        raise DiskFull("The disk is full: cannot write a part.")
    if behaviour == "unplugged":
        raise InputGone("The folder of the recordings is gone.")
    if behaviour == "odd":
        raise WorkerCrashed("A crash that is none.")


def outcome(folder: JobFolder, config: Config) -> object:
    import numpy as np  # late, so that a fake that never gets here starts at once

    from survey.config import fingerprint, scoring_part
    from survey.parts import Basis, ClipRange, Keep, PartWriter, ScoredClips

    assert isinstance(config.model, ZooModel)
    if config.model.name == "lies":
        return Progress(message="no outcome at all")
    recordings = stamps(config)
    basis = Basis("dense", ("owl",), fingerprint(config), scoring_part(config))
    writer = PartWriter(folder.scores_path, basis, Keep(None, None))
    for recording in recordings:
        held = ClipRange(recording, 0, 1, 1, 0.0, 3.0, 3.0)
        writer.add(ScoredClips(held, np.zeros(1), np.full(1, 3.0), np.ones((1, 1), np.float32)))
    writer.close_part()
    folder.summary_path.write_text("{}")
    return JobOutcome(
        state="completed", files_total=len(recordings), files_done=len(recordings), files_failed=0, files_skipped=0,
        clips=len(recordings), audio_seconds=3.0 * len(recordings), elapsed_seconds=2.0, outputs=(), failures=(),
    )  # fmt: skip


def models(_params: ModelsParams, _call: Call) -> ModelList:
    pid = str(os.getpid())
    return ModelList(models=(ModelEntry(source="zoo", name="fake", description=pid, available=True),))


HANDLERS: dict[str, Handler] = {"worker/run": run, "worker/models": models}


def route(method: Method) -> tuple[Method, Callable[[], Handler]]:
    return method, lambda: HANDLERS[method.name]


def main() -> int:
    if os.environ.get("FAKE_WORKER_LACKS"):
        say(f"ModuleNotFoundError: No module named '{os.environ['FAKE_WORKER_LACKS']}'")
        return 1
    if os.environ.get("FAKE_WORKER_BABBLES"):
        os.write(1, b"I am no server.\n" * 100)
    routes = {method.name: route(method) for method in WORKER_METHODS if method.name in HANDLERS}
    options = channel.Options(channel.ServerInfo(name="fake worker", version="0"), kill_group_at_end=True)
    return channel.serve(routes, options)


if __name__ == "__main__":
    os._exit(main())
