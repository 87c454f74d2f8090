"""The manager of jobs, driven in any order, with worker processes that crash, hang, lie, flood and answer late.

Sidecars end and workers are killed in between. What must hold: at most one job runs, states follow from one another, a
job ends as its worker lets it, the folder of a job that has ended is free, and whatever stopped can be resumed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from rpc.errors import Busy, RpcError
from schemas.jobs import JobState
from sidecar.jobs.active import ActiveJob
from sidecar.jobs.state import TRANSITIONS
from tests.sidecar.jobs.conftest import PATIENCE_SECONDS, Jobs, sound

ENDS: dict[str, set[JobState]] = {
    "ok": {"completed"},
    "floods": {"completed"},
    "waits": {"completed"},
    "late": {"completed"},
    "dies once": {"completed"},
    "once out of memory": {"completed"},
    "poison": {"completed"},
    "exit": {"failed"},
    "lies": {"failed"},
    "unknown": {"failed"},
    "disk full": {"paused"},
    "unplugged": {"paused"},
    "deaf": set(),
}
"""How a job of each behaviour ends, unless it is cancelled, its manager closed or its worker killed."""

_GRACE_SECONDS = 0.2


class JobsMachine(RuleBasedStateMachine):
    """What the manager tells of jobs is compared with what was asked of it."""

    active: Bundle[ActiveJob] = Bundle("active")
    ended: Bundle[ActiveJob] = Bundle("ended")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        sound(self.folder / "recordings" / "a.wav")
        self.jobs = Jobs(self.folder, cancel_grace_seconds=_GRACE_SECONDS)
        self.behaviours: dict[str, str] = {}
        self.allowed: dict[str, set[JobState]] = {}

    def teardown(self) -> None:
        self.jobs.manager.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(target=active, behaviour=st.sampled_from(sorted(ENDS)))
    def start(self, behaviour: str) -> ActiveJob:
        job = self.jobs.start(behaviour, release=str(self.folder / "release"))
        self.behaviours[job.job_id] = behaviour
        self.allowed[job.job_id] = set(ENDS[behaviour])
        return job

    @rule(job=active)
    def cancel(self, job: ActiveJob) -> None:
        self.allowed[job.job_id] |= {"cancelled"}
        self.jobs.manager.cancel(job.job_id)

    @rule(target=ended, job=consumes(active))
    def wait(self, job: ActiveJob) -> ActiveJob:
        (self.folder / "release").touch()
        self.cancel_the_deaf()
        error = job.future.exception(PATIENCE_SECONDS)
        state = self.jobs.manager.get(job.job_id).state
        assert state in self.allowed[job.job_id]
        assert (error is None) == (state == "completed")
        assert error is None or (isinstance(error, RpcError) and error.state == state)
        assert not job.folder.is_locked()
        return job

    def cancel_the_deaf(self) -> None:
        """They would run for ever, and the others wait for them."""
        for job_id, behaviour in self.behaviours.items():
            if behaviour == "deaf":
                self.allowed[job_id] |= {"cancelled"}
                self.jobs.manager.cancel(job_id)

    @rule()
    def kill_the_workers(self) -> None:
        """Another one goes on; a job whose workers are killed again and again fails."""
        for allowed in self.allowed.values():
            allowed |= {"failed"}
        for kept in tuple(self.jobs.manager._workers._kept):
            with contextlib.suppress(ProcessLookupError):
                os.kill(kept.worker.pid, signal.SIGKILL)

    @rule(target=active, job=consumes(ended))
    def resume(self, job: ActiveJob) -> ActiveJob:
        again = self.jobs.resume(job)
        assert again.job_id == job.job_id
        self.allowed[job.job_id] = set(ENDS[self.behaviours[job.job_id]])
        return again

    @rule(job=active)
    def resuming_what_is_under_way_is_refused(self, job: ActiveJob) -> None:
        if not job.ended:
            try:
                again = self.jobs.resume(job)
            except Busy:
                return
            # It ended in between, and so this resumed it.
            again.future.exception(PATIENCE_SECONDS)

    @rule(target=ended, jobs=st.lists(consumes(active), max_size=3))
    def restart(self, jobs: list[ActiveJob]) -> MultipleResults[ActiveJob]:
        """The sidecar ends and another begins. Jobs that are not in `jobs` are interrupted all the same."""
        for allowed in self.allowed.values():
            allowed |= {"interrupted", "cancelled"}
        self.jobs.manager.close()
        for job in jobs:
            job.future.exception(PATIENCE_SECONDS)
        self.jobs = Jobs(self.folder, cancel_grace_seconds=_GRACE_SECONDS)
        return multiple(*jobs)

    @invariant()
    def at_most_one_runs(self) -> None:
        assert self.jobs.manager.running <= 1

    @invariant()
    def every_state_followed_from_the_one_before(self) -> None:
        for job_id in self.behaviours:
            states = self.jobs.changes.of(job_id)
            for before, after in itertools.pairwise(states):
                assert after in TRANSITIONS[before]


JobsMachine.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestJobs = pytest.mark.slow(JobsMachine.TestCase)
