"""The folder of one job: which file is where, its config, its state, its lock.

    <output.folder>/<name>_<UTC timestamp>/
      config.json  job.json  log.txt  environment.json  scores/part-000001.parquet ...  ledger.jsonl
      recordings.jsonl  failures.csv  predictions.csv  predictions.parquet  summary.json  .lock

A survey that several processes share has a folder without a timestamp, so that they agree on it without a word, with
a job folder for each of them in it. Once these are joined it is a job folder itself, with missing.csv too.

    <output.folder>/<name>/
      shards/03-of-20/config.json ...

What lives here: paths, config.json, job.json, the lock. What must not: the scores (parts.py), what became of
each recording (ledger.py), transitions between states (the job manager's).
"""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from rpc.decoders import decoder_for
from rpc.errors import ConfigInvalid, InternalError, JobNotFound, RequestFailed, from_os_error
from schemas.config import CheckpointModel, Config, CwtModel, ModelConfig, OnnxModel, PythonModel, ZooModel
from schemas.jobs import JobState
from survey import atomic
from survey.config import normalised
from survey.lock import FolderLock, is_locked
from survey.shards import Shard

_FORBIDDEN_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_LONGEST_NAME = 80


class JobRecord(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """job.json: where the job stands. Times are ISO 8601 in UTC; unknown fields of later versions are dropped.

    `message` is the reason of a failure, `code` its error code; `environment` the interpreter that ran it.
    `scoring` is what the job's scores depend on (survey.config.scoring_part), to tell whether config.json was changed.
    `shard` is the share of the recordings that is the job's; null: all of them.
    """

    job_id: str
    name: str
    state: JobState
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    files_total: int = 0
    files_done: int = 0
    files_failed: int = 0
    files_skipped: int = 0
    clips: int = 0
    audio_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    message: str | None = None
    code: int | None = None
    environment: str | None = None
    scoring: dict[str, Any] | None = None
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class JobFolder:
    """A job's folder, by its absolute path. Make one with `create` or `open`."""

    path: Path

    @classmethod
    def create(cls, config: Config, now: datetime, *, job_id: str | None = None) -> JobFolder:
        """Make the folder of a new job in `config.output.folder`, with config.json and a queued job.json.

        The paths in config.json are made absolute, so that the job can be resumed from anywhere.

        Raises
        ------
        PermissionRefused, DiskFull, RequestFailed
            The folder cannot be made or written; nothing of it is left.
        """
        config = normalised(config, Path.cwd())
        folder = cls(_make_folder(Path(config.output.folder), _folder_name(config.name, now)))
        try:
            folder.write_config(config)
            folder.write_record(_queued(config, now, job_id, None))
        except RequestFailed:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        return folder

    @classmethod
    def open(cls, path: str | Path) -> JobFolder:
        """The existing job folder at `path`.

        Raises
        ------
        JobNotFound
            There is no folder, or it holds no config.json.
        """
        folder = cls(Path(path).absolute())
        if not folder.config_path.is_file():
            raise JobNotFound(f"{folder.path} is not the folder of a job: it holds no config.json.", path=folder.path)
        return folder

    @classmethod
    def shared(cls, config: Config) -> JobFolder:
        """The folder of the survey that shards of `config` (normalised) share; it need not be there yet."""
        return cls(Path(config.output.folder) / _safe_name(config.name))

    def shard(self, shard: Shard) -> JobFolder:
        """The job folder of a shard below this one; it need not be there yet."""
        return JobFolder(self.shards_path / shard.folder_name)

    def make(self) -> None:
        """Make the folder, where it is not there yet; others may do the same at the same time.

        Raises
        ------
        PermissionRefused, DiskFull, RequestFailed
        """
        try:
            self.scores_path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, self.path, "make a job folder in") from error

    def begin(self, config: Config, now: datetime, *, shard: Shard | None = None) -> None:
        """Make this folder, which is there, that of a queued job; its lock is held. What was begun before is as it was.

        Raises
        ------
        PermissionRefused, DiskFull, RequestFailed
        """
        if not self.record_path.exists():
            self.write_record(_queued(config, now, None, shard))
        if not self.config_path.exists():
            self.write_config(config)

    @property
    def shards_path(self) -> Path:
        """The job folders of shards."""
        return self.path / "shards"

    @property
    def config_path(self) -> Path:
        """The job's own copy of its config."""
        return self.path / "config.json"

    @property
    def record_path(self) -> Path:
        """The job's state."""
        return self.path / "job.json"

    @property
    def log_path(self) -> Path:
        """What happened, for people."""
        return self.path / "log.txt"

    @property
    def environment_path(self) -> Path:
        """Versions, device, batch size."""
        return self.path / "environment.json"

    @property
    def scores_path(self) -> Path:
        """The folder of the closed parts: the truth about what is scored."""
        return self.path / "scores"

    @property
    def ledger_path(self) -> Path:
        """A line per event of a recording."""
        return self.path / "ledger.jsonl"

    @property
    def recordings_path(self) -> Path:
        """The recordings of the last run, a JSON string per line."""
        return self.path / "recordings.jsonl"

    @property
    def failures_path(self) -> Path:
        """The recordings that could not be scored."""
        return self.path / "failures.csv"

    @property
    def missing_path(self) -> Path:
        """The recordings that no shard has scored."""
        return self.path / "missing.csv"

    @property
    def predictions_path(self) -> Path:
        """The scores in OpenSoundscape's form."""
        return self.path / "predictions.csv"

    @property
    def predictions_parquet_path(self) -> Path:
        """The scores in the sparse form: file, start_time, end_time, class, score."""
        return self.path / "predictions.parquet"

    @property
    def summary_path(self) -> Path:
        """What the job did, in numbers."""
        return self.path / "summary.json"

    @property
    def lock_path(self) -> Path:
        """The file that whoever works on the job holds locked."""
        return self.path / ".lock"

    def read_config(self) -> Config:
        """The job's config. Raises ConfigInvalid with the path of the fault, or what reading the file raises."""
        try:
            config: Config = decoder_for(Config).decode(_read(self.config_path))
        except msgspec.DecodeError as error:
            raise ConfigInvalid(f"{self.config_path}: {error}", path=self.config_path) from error
        return config

    def write_config(self, config: Config) -> None:
        """Replace config.json."""
        atomic.write_bytes(self.config_path, _pretty(config))

    def read_record(self) -> JobRecord:
        """Where the job stands. Raises JobNotFound when job.json is missing or damaged."""
        try:
            record: JobRecord = decoder_for(JobRecord).decode(_read(self.record_path))
        except (msgspec.DecodeError, RequestFailed) as error:
            message = f"The state of the job in {self.path} cannot be read: job.json is missing or damaged."
            raise JobNotFound(message, path=self.record_path) from error
        return record

    def write_record(self, record: JobRecord) -> None:
        """Replace job.json."""
        atomic.write_bytes(self.record_path, _pretty(record))

    def lock(self) -> FolderLock:
        """Hold the job for this process: a context manager. Raises Busy while somebody else does."""
        return FolderLock(self.lock_path)

    def is_locked(self) -> bool:
        """Whether somebody is working on the job."""
        return is_locked(self.lock_path)


def model_name(model: ModelConfig) -> str:
    """A model as people call it."""
    if isinstance(model, ZooModel):
        return model.name
    if isinstance(model, CheckpointModel | OnnxModel):
        return Path(model.path).name
    if isinstance(model, PythonModel):
        return f"{model.class_name} of {Path(model.path).name}"
    return f"{'CWT' if isinstance(model, CwtModel) else 'RIBBIT'}: {model.class_name}"


def _queued(config: Config, now: datetime, job_id: str | None, shard: Shard | None) -> JobRecord:
    created = now.astimezone(UTC).isoformat(timespec="seconds")
    name = config.name if shard is None else f"{config.name} {shard}"
    return JobRecord(job_id=job_id or secrets.token_hex(6), name=name, state="queued", created_at=created, shard=shard)


def _folder_name(name: str, now: datetime) -> str:
    return f"{_safe_name(name)}_{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _safe_name(name: str) -> str:
    return _FORBIDDEN_IN_NAMES.sub("_", name).strip(" .")[:_LONGEST_NAME].strip(" .") or "job"


def _make_folder(parent: Path, name: str) -> Path:
    """Make a new folder for the job; two jobs of one name and second get different ones."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 1000):
            folder = parent / (name if attempt == 1 else f"{name}-{attempt}")
            try:
                folder.mkdir()
                (folder / "scores").mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise from_os_error(error, parent, "make a job folder in") from error
    raise InternalError(f"No free name for a job folder {name} in {parent}.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise from_os_error(error, path, "read") from error


def _pretty(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
