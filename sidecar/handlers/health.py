"""health."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from schemas.catalogue import METHODS
from schemas.health import EnvironmentHealth, Health, JobsHealth
from schemas.version import VERSION
from sidecar.environment.locate import default_folder
from sidecar.environment.verify import check_folder
from sidecar.memory import resident_bytes

if TYPE_CHECKING:
    from rpc.call import Call
    from rpc.methods import NoParams
    from sidecar.app import Services
    from sidecar.jobs.manager import JobManager


def health(_params: NoParams, _call: Call, services: Services) -> Health:
    """That the sidecar lives, and what it can do. Looks at nothing slow: the environment by its marker alone."""
    return Health(
        status="ok",
        version=VERSION,
        pid=os.getpid(),
        uptime_seconds=time.monotonic() - services.started,
        frozen=bool(getattr(sys, "frozen", False)),
        memory_bytes=resident_bytes(),
        capabilities=tuple(method.name for method in METHODS),
        environment=EnvironmentHealth(status=check_folder(default_folder(services.settings.cache_folder)).status),
        jobs=_jobs(services),
    )


def _jobs(services: Services) -> JobsHealth:
    jobs: JobManager | None = services.made("jobs")
    return JobsHealth(running=0, queued=0) if jobs is None else JobsHealth(running=jobs.running, queued=jobs.queued)
