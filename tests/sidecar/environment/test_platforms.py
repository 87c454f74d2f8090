"""Which archive is this computer's, in a folder of several and at a URL of a release."""

from __future__ import annotations

import platform
import sys

import pytest

from rpc.cancel import CancelToken
from rpc.errors import FileMissing, InvalidParams
from schemas.env import Environment, SetupParams
from sidecar.environment import platforms
from sidecar.environment.naming import STEM, platform_tag
from sidecar.environment.platforms import archive_at, archive_in, archive_names
from tests.e2e.conftest import start_sidecar
from tests.sidecar.environment import tiny
from tests.sidecar.environment.test_download import Server, publish_sum, server  # noqa: F401
from tools.demo.client import Refused

NAMES = ("linux-x86_64-cpu", "linux-x86_64-cuda", "macos-arm64-cpu", "windows-x86_64-cpu")


@pytest.fixture
def computer(monkeypatch, tmp_path):
    """Make this one look like another, with or without a driver for NVIDIA's cards."""

    def become(system: str, machine: str, *, cuda: bool = False) -> None:
        driver = tmp_path / "driver"
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setattr(platform, "machine", lambda: machine)
        monkeypatch.setattr(platforms, "_LINUX_DRIVER", driver)
        if cuda:
            driver.touch()

    return become


def archives(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"dipper_pytorch_env-{name}.tar.gz").write_bytes(b"")
    return folder


def chosen(path):
    return path.name.removeprefix("dipper_pytorch_env-").removesuffix(".tar.gz")


@pytest.mark.parametrize(
    ("system", "machine", "cuda", "expected"),
    [
        ("linux", "x86_64", False, "linux-x86_64-cpu"),
        ("linux", "x86_64", True, "linux-x86_64-cuda"),
        ("darwin", "arm64", False, "macos-arm64-cpu"),
        ("win32", "AMD64", False, "windows-x86_64-cpu"),
    ],
)
def test_of_several_the_one_for_this_computer_is_taken(computer, tmp_path, system, machine, cuda, expected):
    computer(system, machine, cuda=cuda)

    assert chosen(archive_in(archives(tmp_path / "all", *NAMES))) == expected


def test_with_a_driver_but_no_archive_for_it_the_other_is_taken(computer, tmp_path):
    computer("linux", "x86_64", cuda=True)

    assert chosen(archive_in(archives(tmp_path / "all", "linux-x86_64-cpu"))) == "linux-x86_64-cpu"


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_every_kind_of_archive_is_found_and_set_up(machine, kind):
    archive = machine.archive(name=f"{STEM}-{platform_tag()}-cpu{kind}")

    found = archive_in(archive.parent)

    assert found == archive
    assert machine.set_up(found).status == "ready"


def test_one_without_a_platform_in_its_name_is_taken_last(computer, tmp_path):
    computer("linux", "x86_64")
    folder = archives(tmp_path / "all", "macos-arm64-cpu")
    (folder / "dipper_pytorch_env.tar.gz").write_bytes(b"")

    assert archive_in(folder).name == "dipper_pytorch_env.tar.gz"


def test_none_for_this_computer_is_told_with_what_there_is(computer, tmp_path):
    computer("linux", "aarch64")

    with pytest.raises(FileMissing, match=r"for linux-aarch64, only dipper_pytorch_env-macos-arm64-cpu\.tar\.gz"):
        archive_in(archives(tmp_path / "all", "macos-arm64-cpu"))
    with pytest.raises(FileMissing, match=r"for linux-aarch64\."):
        archive_in(archives(tmp_path / "none"))


def test_at_a_url_the_one_whose_sum_is_published_is_taken(computer, server):  # noqa: F811
    computer("linux", "x86_64", cuda=True)
    publish_sum(server)
    server.files["/v1/dipper_pytorch_env-linux-x86_64-cpu.tar.gz.sha256"] = server.files["/env.tar.gz.sha256"]

    url = archive_at(server.url("/v1/"), CancelToken())

    assert url == server.url("/v1/dipper_pytorch_env-linux-x86_64-cpu.tar.gz")


def test_at_a_url_without_sums_the_best_is_hoped_for(computer, server):  # noqa: F811
    computer("linux", "x86_64")

    assert archive_at(server.url("/v1/"), CancelToken()).endswith("/v1/dipper_pytorch_env-linux-x86_64-cpu.tar.gz")
    with pytest.raises(InvalidParams, match="no https address"):
        archive_at("ftp://elsewhere/", CancelToken())


def test_a_sidecar_sets_up_from_a_folder_and_from_a_release(tmp_path, server: Server):  # noqa: F811
    name = archive_names()[0]
    archive = tiny.write(tmp_path / "archives" / name, tiny.environment())
    publish_sum(server, archive.read_bytes())
    server.files |= {f"/v1/{name}": archive.read_bytes(), f"/v1/{name}.sha256": server.files["/env.tar.gz.sha256"]}

    with start_sidecar(tmp_path / "sidecar") as sidecar:
        by_folder = SetupParams(folder=str(tmp_path / "one"), archive=str(archive.parent))
        by_url = SetupParams(folder=str(tmp_path / "two"), url=server.url("/v1/"))
        made = [sidecar.call("env/setup", params, Environment) for params in (by_folder, by_url)]
        (tmp_path / "empty").mkdir()
        with pytest.raises(Refused, match="holds no environment archive for"):
            sidecar.call("env/setup", SetupParams(archive=str(tmp_path / "empty")), Environment)

    assert [environment.status for environment in made] == ["ready", "ready"]
