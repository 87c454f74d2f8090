"""How many processors this process may use.

What lives here: the limits that systems set, and the least of them. What must not: how the processors are shared out
among threads.

A node of a cluster has more processors than a job may use. The scheduler says how many in one of several ways: by
binding the process to some of them, by a quota of the control group (v1 or v2), which does not show in the number of
processors at all, or by a variable alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

_PROCESS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_SLURM = "SLURM_CPUS_PER_TASK"


def usable_cpus() -> int:
    """The processors that this process may use, at least one.

    The least of: those that it is bound to, the quotas of its control group and of those around it, rounded up,
    and SLURM_CPUS_PER_TASK.
    """
    limits = [_bound_to(), *quotas(_PROCESS, _GROUPS), *_told_by_slurm(os.environ)]
    return max(1, math.ceil(min(limits)))


def quotas(process: Path, groups: Path) -> Iterator[float]:
    """The quotas, in processors, of the control group that `process` (as /proc/self/cgroup) names below `groups`."""
    try:
        lines = process.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield from _quotas_upwards(groups, path, _second_version)
        elif "cpu" in controllers.split(","):
            for mount in dict.fromkeys((controllers, "cpu", "cpu,cpuacct")):
                yield from _quotas_upwards(groups / mount, path, _first_version)


def _quotas_upwards(mount: Path, path: str, read: Callable[[Path], float | None]) -> Iterator[float]:
    """Of the group and all groups around it. A container sees its own group as the root, whatever its path says."""
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for depth in range(len(parts), -1, -1):
        quota = read(mount.joinpath(*parts[:depth]))
        if quota is not None and quota > 0:
            yield quota


def _second_version(group: Path) -> float | None:
    """`cpu.max` holds the quota or "max", and the period, in microseconds."""
    quota, _, period = _content(group / "cpu.max").partition(" ")
    return _ratio(quota, period)


def _first_version(group: Path) -> float | None:
    """-1 is no quota."""
    return _ratio(_content(group / "cpu.cfs_quota_us"), _content(group / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    if not (quota.isdecimal() and period.isdecimal()) or int(period) == 0:
        return None
    return int(quota) / int(period)


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _bound_to() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _told_by_slurm(environment: Mapping[str, str]) -> Iterator[int]:
    told = environment.get(_SLURM, "")
    if told.isdecimal() and int(told) > 0:
        yield int(told)
