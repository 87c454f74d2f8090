"""ml_runtime.cpus: how many processors a task may use, however its system says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml_runtime.cpus import quotas, usable_cpus

ROOT = Path(__file__).resolve().parents[2]
CASES = [
    ("v2", "0::/job/step\n", {"job/cpu.max": "250000 100000", "job/step/cpu.max": "max 100000"}, [2.5]),
    ("v2 in a container", "0::/\n", {"cpu.max": "400000 100000"}, [4.0]),
    ("v2 seen from outside", "0::/../other\n", {"cpu.max": "50000 100000"}, [0.5]),
    ("v2 without the controller", "0::/user\n", {"user/memory.max": "max"}, []),
    (
        "v1",
        "5:memory:/x\n4:cpu,cpuacct:/slurm/job\n",
        {"cpu,cpuacct/slurm/job/cpu.cfs_quota_us": "300000", "cpu,cpuacct/slurm/job/cpu.cfs_period_us": "100000"},
        [3.0],
    ),
    ("v1 unlimited", "4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, []),
    ("v1 of a container", "4:cpu:/docker/abc\n", {"cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "2"}, [0.5]),
    ("nonsense", "what\n::\n0::/\n", {"cpu.max": "many few"}, []),
]


@pytest.mark.parametrize(
    ("files", "process", "expected"), [(f, p, e) for _, p, f, e in CASES], ids=[c[0] for c in CASES]
)
def test_quotas_of_control_groups(tmp_path, files, process, expected):
    for name, content in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    (tmp_path / "process").write_text(process)

    assert list(quotas(tmp_path / "process", tmp_path / "groups")) == expected


def test_no_control_groups_at_all(tmp_path):
    assert list(quotas(tmp_path / "none", tmp_path)) == []


@pytest.mark.parametrize(("told", "expected"), [("1", 1), ("0", None), ("many", None), ("100000", None), ("", None)])
def test_what_slurm_says_only_lessens(monkeypatch, told, expected):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    before = usable_cpus()
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", told)

    assert usable_cpus() == (expected or before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no processes")
def test_a_process_that_is_bound_to_one_processor_uses_one():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from ml_runtime.cpus import usable_cpus; "
    )

    done = subprocess.run(
        [sys.executable, "-c", code + "print(usable_cpus())"], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.strip() == "1"
