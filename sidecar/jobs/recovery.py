"""Jobs whose process died: their job.json says that somebody is working, but nobody holds their lock.

What lives here: finding and marking them, and telling how far a run came. What must not: resuming them (that
is the user's decision).
"""

from __future__ import annotations

import contextlib
from datetime import datetime

import msgspec

from rpc.errors import Busy, RpcError
from sidecar.jobs.state import ACTIVE, follow
from survey.job_folder import JobFolder, JobRecord
from survey.job_report import with_events
from survey.ledger import Ledger

_REASON = (
    "The program ended while this job was running. All but the last moments of its work is kept; "
    "resume the job to go on."
)


def numbers_reached(folder: JobFolder, record: JobRecord, stopped: datetime | None = None) -> JobRecord:
    """The record with what a run that stopped early had done; as it is, where that cannot be read."""
    try:
        return with_events(record, Ledger(folder.ledger_path).read(), stopped)
    except RpcError:
        return record


def settled_record(folder: JobFolder) -> JobRecord:
    """The record of a job, which is marked as interrupted where its process died.

    Raises
    ------
    JobNotFound
        The folder or its job.json cannot be read.
    """
    record = folder.read_record()
    if record.state not in ACTIVE:
        return record
    try:
        with folder.lock():
            # Only who holds the lock may say so; and the state may have changed before it was held.
            record = folder.read_record()
            if record.state not in ACTIVE:
                return record
            state = follow(record.state, "interrupted")
            record = msgspec.structs.replace(numbers_reached(folder, record), state=state, message=_REASON)
            with contextlib.suppress(RpcError):
                folder.write_record(record)
    except Busy:
        return record
    except RpcError:  # a drive that cannot be written: it is interrupted all the same
        return msgspec.structs.replace(record, state="interrupted", message=_REASON)
    return record
