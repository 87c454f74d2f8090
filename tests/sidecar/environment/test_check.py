"""env/check: what it says of each state, from the marker alone, in depth, and of the user's own interpreters."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rpc.errors import EnvironmentNotReady, InvalidParams
from schemas.env import EnvironmentChoice
from sidecar.environment import locate
from sidecar.environment.choose import interpreter_for
from sidecar.environment.marker import Marker, write_marker
from sidecar.environment.places import Places
from sidecar.environment.verify import check_folder, check_interpreter
from tests.sidecar.environment import tiny
from tests.sidecar.environment.conftest import Machine


@pytest.fixture
def ready(machine: Machine) -> Path:
    machine.set_up(machine.archive())
    return machine.folder


def script(path: Path, content: bytes, mode: int = 0o755) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_nothing_there_is_missing(tmp_path):
    found = check_folder(tmp_path / "environment")

    assert (found.status, found.python_path, found.problem) == ("missing", None, "It is not set up yet.")


def test_an_empty_folder_is_missing(tmp_path):
    assert check_folder(tmp_path).status == "missing"


def test_a_file_is_broken(tmp_path):
    (tmp_path / "environment").write_text("")

    assert check_folder(tmp_path / "environment").problem == "It is a file, not a folder."


def test_a_folder_of_other_things_is_broken(tmp_path):
    (tmp_path / "thesis.tex").write_text("")

    assert check_folder(tmp_path).problem == "There is no Python interpreter in it."


def test_a_folder_that_cannot_be_looked_at_is_told(tmp_path):
    found = check_folder(tmp_path / ("n" * 300))

    assert (found.status, found.problem) == ("broken", "It cannot be looked at: File name too long.")


@pytest.mark.parametrize("folder", ["/", "a\0b"])
def test_what_can_be_no_environments_folder_is_refused(folder, tmp_path):
    with pytest.raises(InvalidParams, match=r"\$\.folder: .* cannot be an environment's folder"):
        locate.chosen_folder(folder, tmp_path)


def test_one_that_is_being_set_up_is_incomplete(tmp_path):
    folder = tmp_path / "environment"
    Places(folder).aside.mkdir()

    assert check_folder(folder).status == "incomplete"


def test_one_that_was_never_finished_is_incomplete(ready):
    write_marker(ready, Marker(state="pending"))

    assert check_folder(ready).status == "incomplete"


def test_a_ready_one_tells_versions_without_running_anything(machine):
    ran = machine.root / "ran"
    machine.set_up(machine.archive(tiny.environment(tiny.fake_python(before=f"touch '{ran}'"))))
    ran.unlink()

    found = check_folder(machine.folder)

    assert (found.status, found.problem) == ("ready", None)
    assert found.packages == tiny.PACKAGES
    assert found.python_path == str(machine.folder / "bin" / "python")
    assert not ran.exists()


def test_one_that_was_moved_is_broken(ready):
    moved = ready.rename(ready.with_name("moved"))

    assert f"was moved here from {ready}" in (check_folder(moved).problem or "")


@pytest.mark.parametrize(
    "path", ["bin/python", "lib/libpython3.11.so.1.0", "lib/python3.11/site-packages/torch/version.py"]
)
def test_a_changed_file_that_matters_is_seen_at_a_glance(ready, path):
    (ready / path).write_bytes(b"changed")

    found = check_folder(ready)

    assert (found.status, found.problem) == ("broken", f"{path} was changed since the environment was set up.")


def test_a_missing_file_that_matters_is_seen_at_a_glance(ready):
    (ready / "lib/libpython3.11.so.1.0").unlink()

    assert check_folder(ready).problem == "lib/libpython3.11.so.1.0 is missing."


def test_only_a_deep_check_sees_a_damaged_file_of_the_same_size(ready):
    path = ready / "etc/paths.conf"
    path.write_bytes(b"#" * path.stat().st_size)

    assert check_folder(ready).status == "ready"
    deep = check_folder(ready, deep=True)
    assert (deep.status, deep.problem) == ("broken", "etc/paths.conf is damaged.")


def test_a_deep_check_sees_a_missing_file(ready):
    (ready / "conda-meta/history").unlink()

    assert check_folder(ready, deep=True).problem == "conda-meta/history is missing."


def test_a_deep_check_sees_a_missing_list(ready):
    (ready / "dipper-environment-files.json").write_text("[")

    assert check_folder(ready, deep=True).status == "broken"


def test_what_was_installed_later_does_no_harm(ready):
    added = ready / "lib/python3.11/site-packages/timm"
    added.mkdir()
    (added / "__init__.py").write_text("")

    assert check_folder(ready, deep=True).status == "ready"


def test_a_deep_check_really_imports(machine):
    """The interpreter imports well when set up, and not later."""
    switch = machine.root / "fails-now"
    answer = tiny.fake_python(before_import=f'[ -e "{switch}" ] && echo "it broke" >&2 && exit 1')
    machine.set_up(machine.archive(tiny.environment(answer)))
    switch.touch()

    found = check_folder(machine.folder, deep=True)

    assert found.status == "broken"
    assert "it broke" in (found.problem or "")


def test_an_environment_that_the_user_unpacked_is_asked(tmp_path):
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin" / "python", tiny.fake_python())

    found = check_folder(tmp_path, deep=True)

    assert (found.status, found.folder) == ("ready", str(tmp_path))


@pytest.mark.parametrize(
    ("content", "status", "problem"),
    [
        (tiny.fake_python(), "ready", None),
        (tiny.fake_python(packages={"torch": "2"}), "incomplete", "It lacks opensoundscape, bioacoustics-model-zoo"),
        (tiny.fake_python(version="3.9.2"), "broken", "It is Python 3.9.2; 3.11 or newer is needed."),
        (tiny.fake_python(problem="torch cannot be imported: x"), "broken", "torch cannot be imported: x"),
        (b"#!/bin/sh\necho hello\n", "broken", "It does not run as a Python interpreter (it says nothing)."),
        (b"#!/bin/sh\necho 'no such option' >&2; exit 2\n", "broken", "(no such option)"),
        (b"\x7fELF" + bytes(100), "broken", "It is no program, or one for another operating system or processor."),
    ],
)  # fmt: skip
def test_the_users_own_interpreter(tmp_path, content, status, problem):
    python = script(tmp_path / "python", content)

    found = check_interpreter(python, deep=True)

    assert found.status == status
    assert found.problem == problem or (problem and problem in (found.problem or ""))
    assert found.python_path == str(python)


def test_a_real_python_without_the_models_lacks_them():
    found = check_interpreter(Path(sys.executable))

    assert found.status == "incomplete"
    assert "torch" in (found.problem or "")
    assert found.python_version == ".".join(map(str, sys.version_info[:3]))


def test_an_interpreter_that_is_not_there(tmp_path):
    assert check_interpreter(tmp_path / "python").status == "missing"


def test_one_that_cannot_be_looked_at(tmp_path):
    assert "File name too long" in (check_interpreter(tmp_path / ("n" * 300)).problem or "")


def test_an_interpreter_that_is_a_folder(tmp_path):
    assert check_interpreter(tmp_path).problem == "It is a folder, not an interpreter."


def test_one_that_may_not_be_run(tmp_path):
    found = check_interpreter(script(tmp_path / "python", tiny.fake_python(), 0o644))

    assert found.problem == "It may not be run (no permission)."


def test_a_run_gets_the_interpreter_of_a_ready_environment(ready):
    assert interpreter_for(EnvironmentChoice(folder=str(ready)), Path("/unused")) == ready / "bin" / "python"


def test_a_run_gets_the_default_environment(machine):
    folder = locate.default_folder(machine.folder.parent)
    machine.set_up(machine.archive(), folder=folder)

    assert interpreter_for(EnvironmentChoice(), machine.folder.parent) == folder / "bin" / "python"


def test_a_run_gets_the_users_interpreter():
    assert interpreter_for(EnvironmentChoice(python=sys.executable), Path("/unused")) == Path(sys.executable)


@pytest.mark.parametrize("choice", [EnvironmentChoice(), EnvironmentChoice(python="/no/such/python")])
def test_a_run_without_an_environment_is_told_what_to_do(tmp_path, choice):
    with pytest.raises(EnvironmentNotReady) as refused:
        interpreter_for(choice, tmp_path)

    assert "env/setup" in (refused.value.hint or "")


def test_a_run_is_not_left_to_choose_between_a_folder_and_an_interpreter(ready):
    with pytest.raises(InvalidParams, match=r"\$\.environment: give either"):
        interpreter_for(EnvironmentChoice(folder=str(ready), python=sys.executable), Path("/unused"))


def test_a_run_never_starts_on_an_unfinished_environment(ready):
    write_marker(ready, Marker(state="pending"))

    with pytest.raises(EnvironmentNotReady, match="incomplete: Its setting up was interrupted"):
        interpreter_for(EnvironmentChoice(folder=str(ready)), Path("/unused"))


def test_a_folder_inside_the_frozen_application_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "sidecar"))

    with pytest.raises(InvalidParams, match="inside the application"):
        locate.chosen_folder(str(tmp_path / "environment"), tmp_path.parent)
