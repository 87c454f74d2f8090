"""env/* over the wire, on tiny archives with a fake interpreter; the real archive is in tests/e2e/test_archive.py."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpc.call import Progress
from rpc.methods import NoParams
from schemas.env import CheckParams, Environment, EnvironmentChoice, RemovedEnvironment, RemoveParams, SetupParams
from schemas.health import Health
from schemas.jobs import JobReport, ResumeParams
from schemas.models import ListParams, ModelList
from tests.e2e.conftest import start_sidecar
from tests.sidecar.environment import tiny
from tools.demo.client import Refused, SidecarClient

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake interpreter is a shell script")


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[SidecarClient]:
    with start_sidecar(tmp_path / "sidecar") as client:
        yield client


def set_up(sidecar: SidecarClient, archive: Path, **params) -> Environment:
    return sidecar.call("env/setup", SetupParams(archive=str(archive), **params), Environment)


def test_the_default_environment_is_set_up_and_found(sidecar, tmp_path):
    # Arrange
    archive = tiny.write(tmp_path / "env.tar.gz", tiny.environment())
    before = sidecar.call("env/check", CheckParams(), Environment)

    # Act
    made = set_up(sidecar, archive, sha256=hashlib.sha256(archive.read_bytes()).hexdigest())
    after = sidecar.call("env/check", CheckParams(deep=True), Environment)
    health = sidecar.call("health", NoParams(), Health)

    # Assert
    assert before.status == "missing"
    assert made.status == after.status == health.environment.status == "ready"
    assert made.folder == after.folder == str(tmp_path / "sidecar" / "cache" / "environment")
    assert made.packages == after.packages == tiny.PACKAGES


def test_progress_tells_bytes_and_steps(sidecar, tmp_path):
    archive = tiny.write(tmp_path / "env.tar.gz", tiny.environment())
    told: list[Progress] = []

    sidecar.call("env/setup", SetupParams(archive=str(archive)), Environment, told.append)

    assert told[0].kind == "begin"
    assert told[0].title == "Setting up the ML environment"
    assert told[-1].kind == "end"
    counted = [progress for progress in told if progress.unit == "bytes" and progress.total]
    assert counted[-1].done == counted[-1].total == archive.stat().st_size


def test_a_cancel_is_answered_and_nothing_is_left(sidecar, tmp_path):
    archive = tiny.write(tmp_path / "env.tar.gz", tiny.environment(tiny.fake_python(before_import="sleep 600")))
    folder = tmp_path / "place" / "environment"

    def cancel(progress: Progress) -> None:
        if (progress.message or "").startswith("importing"):
            sidecar.cancel()

    with pytest.raises(Refused) as refused:
        sidecar.call("env/setup", SetupParams(archive=str(archive), folder=str(folder)), Environment, cancel)

    assert refused.value.error.code == -32800
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("params", "code", "says"),
    [
        ({"archive": "nowhere.tar.gz"}, 1001, "no environment archive"),
        ({"archive": "text.tar.gz"}, 1006, "is no .tar.gz, .tar.zst or .zip file"),
        ({"archive": "evil.tar.gz"}, 1006, "'../evil' has a path with '..'"),
        ({"archive": "good.tar.gz", "sha256": "0" * 64}, 1006, "its SHA-256 is"),
        ({"archive": "good.tar.gz", "sha256": "abc"}, -32602, "$.sha256"),
        ({"archive": "good.tar.gz", "folder": "text.tar.gz"}, -32803, "is a file, not a folder"),
        ({"archive": "good.tar.gz", "folder": ""}, -32602, "$.folder"),
        ({"archiv": "good.tar.gz"}, -32602, "archiv"),
        ({"url": "http://example.org/env.tgz"}, -32602, "$.url: http://example.org/env.tgz is no https address"),
        ({"url": "https://example.org/env.tgz", "archive": "good.tar.gz"}, -32602, "not both"),
    ],
)  # fmt: skip
def test_bad_input_is_told_clearly(sidecar, tmp_path, params, code, says):
    # Arrange
    (tmp_path / "text.tar.gz").write_text("no archive")
    tiny.write(tmp_path / "good.tar.gz", tiny.environment())
    tiny.write(tmp_path / "evil.tar.gz", [tiny.file("../evil")])
    given = {
        key: str(tmp_path / text) if text.endswith("tar.gz") and key != "archiv" else text
        for key, text in params.items()
    }

    # Act
    with pytest.raises(Refused) as refused:
        sidecar.call_raw("env/setup", given)

    # Assert
    assert refused.value.error.code == code
    assert says in refused.value.error.message
    assert not (tmp_path / "sidecar" / "cache" / "environment").exists()


def test_the_users_interpreter_is_checked(sidecar):
    found = sidecar.call("env/check", CheckParams(python=sys.executable), Environment)

    assert found.status == "incomplete"
    assert "torch" in (found.problem or "")


def test_a_folder_and_an_interpreter_at_once_are_refused(sidecar):
    with pytest.raises(Refused) as refused:
        sidecar.call("env/check", CheckParams(python=sys.executable, folder="/x"), Environment)

    assert refused.value.error.code == -32602


def test_what_needs_an_environment_says_how_to_get_one(sidecar, tmp_path):
    choice = EnvironmentChoice(folder=str(tmp_path / "nowhere"))

    with pytest.raises(Refused) as refused:
        sidecar.call("models/list", ListParams(environment=choice), ModelList)

    assert refused.value.error.code == 1005
    assert refused.value.error.data is not None
    assert "env/setup" in (refused.value.error.data.hint or "")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (ResumeParams(), -32602),
        (ResumeParams(job_id="a", job_folder="b"), -32602),
        (ResumeParams(job_id="unknown"), 1016),
        (ResumeParams(job_folder="/no/such/folder"), 1016),
    ],
)
def test_what_is_to_be_resumed_is_looked_at_before_the_environment(sidecar, params, code):
    with pytest.raises(Refused) as refused:
        sidecar.call("jobs/resume", params, JobReport)

    assert refused.value.error.code == code


def test_an_environment_is_removed(sidecar, tmp_path):
    set_up(sidecar, tiny.write(tmp_path / "env.tar.gz", tiny.environment()))

    removed = sidecar.call("env/remove", RemoveParams(), RemovedEnvironment)

    assert removed.freed_bytes > 0
    assert removed.kept == ()
    assert sidecar.call("env/check", CheckParams(), Environment).status == "missing"
