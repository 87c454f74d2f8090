"""How pip is asked for the ML packages: in which order, for which versions, and never for CUDA by accident.

The interpreter is a fake that writes down what it is asked; installing 2 GB for real is what `dev.py setup` does.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tools import install_ml
from tools.paths import ML, ROOT, python_of
from tools.processes import CommandFailed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake interpreter is a shell script")
HERE = (ROOT / "requirements" / "ml-linux-x86_64.txt").read_text().splitlines()[0].removeprefix("# Locked on ")


class FakePython:
    """An interpreter that logs its pip calls. `wants` is what the torch that pip would choose depends on."""

    def __init__(self, folder: Path, *, tag: str = HERE, wants: tuple[str, ...] = (), version: str = "2.13.0") -> None:
        self.path, self._log, self.site_packages = folder / "python", folder / "log", folder / "site-packages"
        self.site_packages.mkdir()
        report = {"install": [{"metadata": {"version": version, "requires_dist": list(wants)}}]}
        self.path.write_text(f"""#!/bin/sh
case "$*" in
  *version_info*) echo {shlex.quote(tag)};;
  *purelib*) echo {shlex.quote(str(self.site_packages))};;
  *"pip list"*) printf 'torch==2.13.0\\nnumpy==2\\n';;
  *) printf '%s\\n' "$*" >> {shlex.quote(str(self._log))}
     while [ $# -gt 0 ]; do
       [ "$1" = --report ] && printf '%s' {shlex.quote(json.dumps(report))} > "$2"
       shift
     done
     eval "[ ! -e {shlex.quote(str(folder))}/fail ]" || exit 1;;
esac
""")
        self.path.chmod(0o755)

    def calls(self) -> list[str]:
        """What pip was asked to install, without the options that are always there."""
        lines = self._log.read_text().splitlines()
        return [line.partition("--no-compile ")[2] for line in lines if "--dry-run" not in line]


def test_torch_comes_first_its_companions_without_dependencies_then_the_rest_as_locked(tmp_path):
    python = FakePython(tmp_path)

    install_ml.install_ml(python.path)

    torch, companions, rest, tests = python.calls()
    assert torch == "torch==2.13.0"
    assert companions == "--no-deps torchvision==0.28.0 torchaudio==2.11.0"
    assert rest.startswith("--no-deps ")
    assert "opensoundscape==0.13.2" in rest.split()
    assert not {"torch", "torchvision", "torchaudio"} & {word.partition("==")[0] for word in rest.split()}
    assert tests.startswith("hypothesis==")


def test_the_packed_environment_gets_no_test_tools(tmp_path):
    python = FakePython(tmp_path)

    install_ml.install_ml(python.path, with_tests=False)

    assert not any("pytest" in call for call in python.calls())


@pytest.mark.parametrize(
    "wants", ["nvidia-cublas-cu13 ; platform_system == 'Linux'", "triton==3.6", "cuda-bindings>=13"]
)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's plain index has CUDA builds")
def test_a_cuda_build_is_announced_with_the_way_around_it(tmp_path, wants, capfd):
    python = FakePython(tmp_path, wants=("filelock", wants))

    install_ml.install_ml(python.path)

    torch, companions, *_ = python.calls()
    assert torch == "torch==2.13.0"
    assert companions.startswith("--no-deps torchvision==")
    assert "--torch-index" in capfd.readouterr().out


def test_a_cpu_build_needs_no_announcement(tmp_path, capfd):
    python = FakePython(tmp_path, wants=("filelock",))

    install_ml.install_ml(python.path)

    assert "--torch-index" not in capfd.readouterr().out


def test_an_index_that_is_named_is_used_whatever_it_offers(tmp_path):
    python = FakePython(tmp_path, wants=("nvidia-cublas",))

    install_ml.install_ml(python.path, "https://example.org/cu130")

    torch, companions, rest, _ = python.calls()
    assert torch == "--index-url https://example.org/cu130 torch==2.13.0"
    assert companions.startswith("--no-deps --index-url https://example.org/cu130 ")
    assert "--index-url" not in rest


def test_elsewhere_the_bounds_are_held_to_the_lock(tmp_path):
    python = FakePython(tmp_path, tag="darwin arm64 python 3.13")

    install_ml.install_ml(python.path)

    rest = python.calls()[2]
    assert rest.startswith(f"--constraint {ROOT / 'requirements' / 'ml-macos-arm64.txt'} ")
    assert "opensoundscape>=0.13.2,<0.14" in rest
    assert "torch" not in {word.partition(">=")[0] for word in rest.split()}


def test_each_platform_with_a_lock_is_installed_by_its_own(tmp_path):
    python = FakePython(tmp_path, tag="win32 AMD64 python 3.11")

    install_ml.install_ml(python.path)

    rest = python.calls()[2]
    assert rest.startswith("--no-deps ")
    assert "colorama==0.4.6" in rest.split()


def test_a_lock_that_nobody_has_tried_gives_way_where_it_fails(tmp_path, monkeypatch):
    python = FakePython(tmp_path, tag="darwin arm64 python 3.11")
    install = install_ml._pip

    def refuse_the_lock(interpreter: Path, *arguments: str) -> None:
        install(interpreter, *arguments)
        if "--no-deps" in arguments and len(arguments) > 10:
            raise CommandFailed(["pip"], 1)

    monkeypatch.setattr(install_ml, "_pip", refuse_the_lock)
    install_ml.install_ml(python.path)

    assert python.calls()[3].startswith("--constraint ")


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("ml-*-*.txt")), ids=lambda path: path.stem)
def test_the_locks_hold_the_same_versions_everywhere(path):
    tested, here = install_ml._read_requirements(install_ml.TESTED_LOCK), install_ml._read_requirements(path)

    assert install_ml.lock_path(path.stem.removeprefix("ml-")) == path
    assert not {line for name, line in here.items() if tested.get(name, line) != line}
    assert set(install_ml._read_requirements(ROOT / "requirements" / "ml.in")) <= set(here)
    assert not [line for line in here.values() if install_ml.CUDA_REQUIREMENT.match(line)]


def test_where_a_locked_version_has_no_wheel_newer_ones_are_taken_and_torch_is_held(tmp_path, monkeypatch, capfd):
    python = FakePython(tmp_path, tag="darwin arm64 python 3.15")
    install = install_ml._pip

    def refuse_constraints(interpreter: Path, *arguments: str) -> None:
        install(interpreter, *arguments)
        if "--constraint" in arguments:
            raise CommandFailed(["pip"], 1)

    monkeypatch.setattr(install_ml, "_pip", refuse_constraints)
    install_ml.install_ml(python.path)

    assert python.calls()[3].split()[-1] == "torch==2.13.0"
    assert "taking newer ones" in capfd.readouterr().out


def test_a_failure_of_the_locked_set_up_is_not_papered_over(tmp_path):
    python = FakePython(tmp_path)
    (tmp_path / "fail").touch()

    with pytest.raises(CommandFailed):
        install_ml.install_ml(python.path, "https://example.org/cpu")


def test_numba_compiles_for_any_processor(tmp_path):
    python = FakePython(tmp_path)

    install_ml.keep_compiled_code(python.path)

    line = (python.site_packages / install_ml.NUMBA_TARGET).read_text()
    script = f"{line}import os; print(os.environ['NUMBA_CPU_NAME'])"
    environment = {"PATH": "/usr/bin:/bin"}
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert said.stdout == "generic\n"


@pytest.mark.ml
@pytest.mark.skipif(
    not python_of(ML).exists(), reason="the ML environment .ml is not there: run `python3 dev.py setup`"
)
@pytest.mark.parametrize(("bounds", "lock"), [("ml.in", "ml-linux-x86_64.txt"), ("ml-tests.in", "ml-tests.txt")])
def test_the_lock_is_what_is_installed(bounds, lock):
    """Holds wherever the lock applies as it is."""
    if install_ml._interpreter_tag(python_of(ML)) != HERE:
        pytest.skip(f"the lock is for {HERE}")
    command: list[str | Path] = [python_of(ML), ROOT / "tools" / "lock.py", ROOT / "requirements" / bounds]

    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert written == (ROOT / "requirements" / lock).read_text()


def test_the_sidecars_lock_is_what_is_installed():
    first = (ROOT / "requirements" / "sidecar.txt").read_text().splitlines()[0]
    if first != f"# Locked on {install_ml._interpreter_tag(Path(sys.executable))}":
        pytest.skip("the lock is for another platform or Python")
    command: list[str | Path] = [sys.executable, ROOT / "tools" / "lock.py", ROOT / "pyproject.toml", "dev"]

    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert written == (ROOT / "requirements" / "sidecar.txt").read_text()
