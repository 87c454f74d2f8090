"""The jobs that this computer knows, whichever sidecar ran them: a small file per job in the state folder.

What lives here: those files. What must not: a job's state, which is in its own folder and may be on a drive
that is not plugged in.

One file per job, so that two sidecars never write the same one.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from rpc.decoders import decoder_for
from rpc.errors import from_os_error
from survey import atomic

_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class KnownJob(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """A job and where its folder is; what a list shows of it when that folder is out of reach."""

    job_id: str
    job_folder: str
    name: str
    model: str
    created_at: str


class JobIndex:
    """The known jobs below `folder`. Safe to use from several processes."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / "jobs"

    def add(self, job: KnownJob) -> None:
        """Know a job from now on; of a job that is known already, know this."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, self._folder, "remember jobs in") from error
        atomic.write_bytes(self._file(job.job_id), msgspec.json.encode(job))

    def get(self, job_id: str) -> KnownJob | None:
        """The job of this id, if it is known."""
        return _read(self._file(job_id)) if _SAFE_ID.fullmatch(job_id) else None

    def remove(self, job_id: str) -> None:
        """Forget a job."""
        self._file(job_id).unlink(missing_ok=True)

    def all(self) -> list[KnownJob]:
        """Every known job, the newest first."""
        jobs = [job for file in self._folder.glob("*.json") if (job := _read(file)) is not None]
        return sorted(jobs, key=lambda job: (job.created_at, job.job_id), reverse=True)

    def _file(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"


def _read(file: Path) -> KnownJob | None:
    try:
        known: KnownJob = decoder_for(KnownJob).decode(file.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return known
