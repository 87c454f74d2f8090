"""health: that the sidecar lives, and what it can do."""

from __future__ import annotations

from typing import Literal

from schemas.base import Wire
from schemas.env import Status


class EnvironmentHealth(Wire, frozen=True):
    """The default ML environment at a glance."""

    status: Status


class JobsHealth(Wire, frozen=True):
    """How many jobs are under way."""

    running: int
    queued: int


class Health(Wire, frozen=True):
    """health: `capabilities` lists every method there is; `memory_bytes` is the resident set."""

    status: Literal["ok"]
    version: str
    pid: int
    uptime_seconds: float
    frozen: bool
    memory_bytes: int
    capabilities: tuple[str, ...]
    environment: EnvironmentHealth
    jobs: JobsHealth
