"""All jobs that this computer knows: begun, resumed, cancelled, listed, removed.

What lives here: what a job needs before it may be queued, and finding jobs again. What must not: running them
(queue.py, worker.py), how a worker scores, where an environment lies (an interpreter's path comes in).
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from rpc.call import Progress
from rpc.cancel import CancelToken
from rpc.errors import (
    Busy,
    ConfigInvalid,
    EnvironmentNotReady,
    InvalidParams,
    JobNotFound,
    ModelLoadFailed,
    ModelNotFound,
    RequestCancelled,
    RpcError,
    from_os_error,
)
from schemas.config import Config, ZooModel
from schemas.jobs import Failure, Job, JobChanged, JobReport, JobState
from schemas.models import ImportedWeights, ModelList, PreparedModel
from schemas.worker import CheckModelParams, ImportWeightsParams, ModelsParams, PrepareModelParams
from sidecar.jobs.active import ActiveJob
from sidecar.jobs.describe import as_it_was, describe, did_nothing, existing_outputs, known_job, out_of_reach, requeued
from sidecar.jobs.finished import nothing_left
from sidecar.jobs.index import JobIndex, KnownJob
from sidecar.jobs.keeper import IDLE_SECONDS, WorkerKeeper
from sidecar.jobs.queue import JobQueue
from sidecar.jobs.recovery import settled_record
from sidecar.jobs.removal import delete_job
from sidecar.jobs.state import ACTIVE
from sidecar.jobs.worker import CANCEL_GRACE_SECONDS
from survey.config import normalised, scoring_differences, scoring_part
from survey.job_folder import JobFolder, JobRecord
from survey.job_report import failures_of
from survey.ledger import Ledger
from survey.paths import path_from_wire
from survey.preflight import check_ready
from survey.shards import share_of

_CHECK_SECONDS = 60.0

log = logging.getLogger(__name__)

Notify = Callable[[str, msgspec.Struct], None]
OnProgress = Callable[[Progress], None]


class JobManager:
    """The jobs of one process. Thread-safe."""

    def __init__(
        self,
        state_folder: Path,
        notify: Notify,
        *,
        worker_script: Path | None = None,
        idle_seconds: float = IDLE_SECONDS,
        cancel_grace_seconds: float = CANCEL_GRACE_SECONDS,
        max_running: int = 1,
        cache_folder: Path | None = None,
    ) -> None:
        self._index = JobIndex(state_folder)
        self._notify = notify
        self._workers = WorkerKeeper(worker_script, idle_seconds, cancel_grace_seconds)
        self._queue = JobQueue(self._workers, self._changed, max_running, cache_folder)

    @property
    def running(self) -> int:
        """How many jobs run."""
        return self._queue.running

    @property
    def queued(self) -> int:
        """How many jobs wait for another to end."""
        return self._queue.waiting

    def start(self, config: Config, python: Path, token: CancelToken, *, trust: bool = False) -> ActiveJob:
        """Check that a run can start, make its folder, and queue it.

        Raises
        ------
        ConfigInvalid, FileMissing, PermissionRefused, ModelLoadFailed, DiskFull
        ModelNotFound, EnvironmentNotReady, RequestCancelled
            Nothing was begun.
        """
        config = normalised(config, Path.cwd())
        recordings = check_ready(config, token, trust=trust)
        self._check_model(config, python, token)
        folder = JobFolder.create(config, datetime.now(UTC))
        lock = folder.lock()
        try:
            self._write_queued(folder, folder.read_record(), config, len(recordings))
            job = ActiveJob(folder, config, lock, python, trust=trust, on_change=self._changed)
        except BaseException:
            lock.release()
            self._undo(folder)
            raise
        job.note(f"{config.name}: {len(recordings)} recordings, {job.job().model}")
        self._queue.put(job)
        return job

    def _check_model(self, config: Config, python: Path, token: CancelToken) -> None:
        """Ask a worker, who knows what its environment has, whether the model can run in it.

        Of models in files it knows nothing before they are loaded. A worker that gives no answer is no refusal: the job
        itself will tell.
        """
        if not isinstance(config.model, ZooModel) and config.inference.device in ("auto", "cpu"):
            return
        params = CheckModelParams(model=config.model, device=config.inference.device)
        try:
            self._workers.ask(python, "worker/check", params, type(None), token).result(_CHECK_SECONDS)
        except (ModelLoadFailed, ModelNotFound):
            # The environment may be mended before it is tried again.
            self._workers.end_idle(python)
            raise
        except (ConfigInvalid, EnvironmentNotReady, RequestCancelled):
            raise
        except (RpcError, TimeoutError):
            log.warning("whether the model can run could not be told", exc_info=True)

    def _undo(self, folder: JobFolder) -> None:
        """A job that was never queued leaves nothing behind."""
        with contextlib.suppress(RpcError):
            self._index.remove(folder.read_record().job_id)
            delete_job(folder.path)

    def folder_of(self, job_id: str | None, job_folder: str | None) -> JobFolder:
        """The folder of the job that is named by one of the two.

        Raises
        ------
        InvalidParams
            Both are given, or neither.
        JobNotFound
            There is no such job, or its folder is gone.
        """
        if (job_id is None) == (job_folder is None):
            raise InvalidParams("$: give either `jobId` or `jobFolder`.")
        if job_folder is not None:
            return JobFolder.open(path_from_wire(job_folder, "$.jobFolder"))
        return JobFolder.open(path_from_wire(self.get(str(job_id)).job_folder))

    def resume(self, folder: JobFolder, python: Path, token: CancelToken, *, trust: bool = False) -> ActiveJob:
        """Go on with the job in `folder`. With nothing left to do it has ended when this returns.

        Raises
        ------
        JobNotFound
            Its job.json cannot be read.
        Busy
            It is under way, here or in another program.
        ConfigInvalid
            Its config.json asks for other scores than those it has.
        FileMissing, PermissionRefused, ModelLoadFailed, DiskFull
        """
        settled_record(folder)
        lock = folder.lock()
        try:
            config, record = folder.read_config(), folder.read_record()
            if record.scoring is not None:
                _refuse_other_scores(folder, record.scoring, scoring_part(config))
            recordings = share_of(check_ready(config, token, trust=trust), record.shard)
            done = nothing_left(folder, recordings)
            again = as_it_was(record) if done else requeued(record)
            self._write_queued(folder, again, config, len(recordings))
            job = ActiveJob(folder, config, lock, python, trust=trust, on_change=self._changed)
        except BaseException:
            lock.release()
            raise
        if done:
            self._answer_at_once(job, recordings)
        else:
            self._queue.put(job)
        return job

    def _write_queued(self, folder: JobFolder, record: JobRecord, config: Config, recordings: int) -> None:
        record = msgspec.structs.replace(record, files_total=recordings, scoring=scoring_part(config))
        folder.write_record(record)
        self._index.add(known_job(folder, record, config))

    def cancel(self, job_id: str) -> Job:
        """Stop a job: at once where it waits, within seconds where it runs; one that has ended stays as it is.

        Raises
        ------
        JobNotFound
        Busy
            Another program runs it, which alone can stop it; or it is ending this moment.
        """
        job = self._queue.cancel(job_id)
        if job is not None:
            return job.job()
        ended = self.get(job_id)
        if ended.state in ACTIVE:
            raise Busy(
                f"The job {job_id} is run by another program, or is just ending.",
                path=ended.job_folder,
                hint="Cancel it in the window that started it.",
            )
        return ended

    def get(self, job_id: str) -> Job:
        """A job, whichever sidecar ran it. Raises JobNotFound."""
        active = self._queue.find(job_id)
        if active is not None:
            return active.job()
        known = self._index.get(job_id)
        if known is None:
            raise JobNotFound(f"There is no job {job_id!r}.", hint="Open its folder instead.")
        return _described(known)

    def list(self, state: JobState | None, limit: int) -> tuple[Job, ...]:
        """The known jobs, the newest first."""
        found: list[Job] = []
        for known in self._index.all():
            job = self.get(known.job_id)
            if state is None or job.state == state:
                found.append(job)
            if len(found) == limit:
                break
        return tuple(found)

    def remove(self, job_id: str, *, delete_files: bool) -> int:
        """Forget a job that is not under way, and delete its folder if asked; how many bytes that freed.

        Raises
        ------
        JobNotFound, Busy, PermissionRefused
        """
        if self._queue.find(job_id) is not None:
            raise Busy(f"The job {job_id} is under way.", hint="Cancel it first.")
        known = self._index.get(job_id)
        if known is None:
            raise JobNotFound(f"There is no job {job_id!r}.")
        freed = delete_job(path_from_wire(known.job_folder)) if delete_files else 0
        self._index.remove(job_id)
        return freed

    def log_of(self, job_id: str, tail: int) -> tuple[str, ...]:
        """The last lines of a job's log. Raises JobNotFound."""
        path = JobFolder(path_from_wire(self.get(job_id).job_folder)).log_path
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                return tuple(line.rstrip("\n") for line in deque(file, maxlen=tail))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise from_os_error(error, path, "read") from error

    def failures_of(self, job_id: str) -> tuple[Failure, ...]:
        """The recordings that a job could not score, so far. Raises JobNotFound."""
        folder = JobFolder(path_from_wire(self.get(job_id).job_folder))
        return failures_of(Ledger(folder.ledger_path).read())

    def models(self, python: Path, token: CancelToken) -> Future[ModelList]:
        """Every model and whether it can run there, asked of a worker, which stays warm."""
        return self._workers.ask(python, "worker/models", ModelsParams(), ModelList, token)

    def prepare_model(
        self, python: Path, params: PrepareModelParams, token: CancelToken, on_progress: OnProgress
    ) -> Future[PreparedModel]:
        """Fetch a model's weights there, by a worker, which keeps the model warm."""
        return self._workers.ask(python, "worker/prepare", params, PreparedModel, token, on_progress)

    def import_weights(
        self, python: Path, params: ImportWeightsParams, token: CancelToken, on_progress: OnProgress
    ) -> Future[ImportedWeights]:
        """Take over weights from a folder, by a worker, which knows where its libraries look for them."""
        return self._workers.ask(python, "worker/import", params, ImportedWeights, token, on_progress)

    def is_warm(self, python: Path) -> bool:
        """Whether a worker for this interpreter runs already."""
        return self._workers.is_warm(python)

    def release(self, folder: Path) -> None:
        """Let go of the environment in `folder`: idle workers of its interpreter end. Raises Busy where one works."""
        self._workers.release(folder)

    def close(self) -> None:
        """End workers; jobs under way become interrupted, and can be resumed."""
        self._queue.close()
        self._workers.close()
        self._queue.join()

    def _answer_at_once(self, job: ActiveJob, recordings: Sequence[Path]) -> None:
        outputs = existing_outputs(job.folder, job.config)

        def answer(report: JobReport) -> JobReport:
            return did_nothing(report, len(recordings), outputs)

        job.begin()
        job.skip(answer)

    def _changed(self, job: Job) -> None:
        self._notify("jobs/changed", JobChanged(job=job))


def _described(known: KnownJob) -> Job:
    try:
        return describe(known, settled_record(JobFolder(path_from_wire(known.job_folder))))
    except RpcError as error:
        return out_of_reach(known, error.message)


def _refuse_other_scores(folder: JobFolder, before: dict[str, Any], after: dict[str, Any]) -> None:
    places = scoring_differences(before, after)
    if places:
        raise ConfigInvalid(
            f"The config of this job has changed since it began ({', '.join(places)}), "
            "so new scores could not be compared with those that it has.",
            path=folder.config_path,
            hint="Change it back, or start a new job.",
        )
