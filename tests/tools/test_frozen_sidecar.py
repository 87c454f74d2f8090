"""What is in the frozen sidecar, what is not, and what its children see. Run by `dev.py test --frozen`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests.rpc.wire import Wire, command
from tests.sounds import noise, write_sound
from tools.freezing.contents import FORBIDDEN, SHIPPED_SOURCES
from tools.freezing.weight import files_of, total, weigh
from tools.notices.bundle import components_of_bundle
from tools.paths import ROOT
from tools.which_sidecar import frozen_executable

pytestmark = pytest.mark.skipif(frozen_executable() is None, reason="no frozen sidecar: run `dev.py test --frozen`")
FOLDER_MB, COMPRESSED_MB = 200, 85
SET_BY_A_SHELL = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}


@pytest.fixture(scope="module")
def bundle() -> Path:
    executable = frozen_executable()
    assert executable is not None
    return executable.parent


@pytest.fixture(scope="module")
def modules(bundle: Path) -> set[str]:
    """Every Python module inside: files, but for the standard library's first ones, and what the executable holds."""
    from PyInstaller.archive.readers import CArchiveReader

    compiled = {
        path.relative_to(bundle / "_internal").with_suffix("") for path in (bundle / "_internal").rglob("*.pyc")
    }
    names = {".".join(path.parts).removesuffix(".__init__") for path in compiled}
    return names | set(CArchiveReader(str(frozen_executable())).open_embedded_archive("PYZ.pyz").toc)


def test_no_module_of_machine_learning_or_drawing_is_inside(modules: set[str]):
    assert {"sidecar.app", "sidecar.handlers.audio", "survey.recordings", "msgspec", "scipy.fft"} <= modules
    assert {name for name in modules if name.split(".")[0] in FORBIDDEN} == set()


def test_no_file_of_machine_learning_or_drawing_is_inside(bundle: Path):
    paths = [path.relative_to(bundle / "_internal") for path in files_of(bundle / "_internal")]
    # scipy has a module named torch, which serves those who have torch: of modules the first part of their name counts.
    names = {path.parts[0].lower() for path in paths} | {path.name.lower() for path in paths if path.suffix != ".pyc"}

    stems = {name.partition(".")[0].partition("-")[0].removeprefix("lib") for name in names}
    assert "_duckdb" in stems
    assert stems & {name.lower() for name in FORBIDDEN} == set()
    assert not {stem for stem in stems if stem.startswith(("tcl", "tk8", "tk9", "qt", "cuda", "cudnn", "cublas"))}


def test_of_scipy_only_the_transform_and_what_it_needs_is_inside(modules: set[str]):
    parts = {name.split(".")[1] for name in modules if name.startswith("scipy.")}

    assert parts <= {"fft", "special", "_lib", "__config__", "_distributor_init", "version", "_cyutility"}


def test_the_workers_source_lies_beside_it_as_in_the_checkout(bundle: Path):
    for package in SHIPPED_SOURCES:
        here = {path.relative_to(ROOT) for path in (ROOT / package).rglob("*") if is_source(path)}
        there = {path.relative_to(bundle) for path in (bundle / package).rglob("*") if is_source(path)}
        assert there == here
        assert all((bundle / path).read_bytes() == (ROOT / path).read_bytes() for path in here)


def is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def test_the_notices_name_whoever_has_a_module_or_a_library_inside(bundle: Path, modules: set[str]):
    # Arrange
    notices = (bundle / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    owners = metadata.packages_distributions()
    compiled = {path.name.partition(".")[0] for path in (bundle / "_internal").glob("*.so")}
    top = {name.partition(".")[0] for name in modules} | compiled

    # Act
    theirs = {owner for name in top - sys.stdlib_module_names for owner in owners.get(name, ())}

    # Assert
    assert {"msgspec", "numpy", "soundfile", "duckdb", "soxr", "isal", "scipy"} <= theirs
    for name in theirs:
        assert f"\n{name} {metadata.version(name)}: " in notices
    for name in ("libsndfile: LGPL-2.1-or-later", "libsoxr: LGPL-2.1-or-later", "PyInstaller's bootloader", "Python "):
        assert f"\n{name}" in notices
    assert "ships no text" not in notices
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in notices
    assert components_of_bundle(bundle)[1] == [], "native libraries whose owner is not known"


def test_ffmpeg_is_the_users_own(bundle: Path):
    files = [path for path in files_of(bundle) if path.suffix not in (".py", ".pyc")]
    named = [path for path in files if "ffmpeg" in path.name.lower() or path.name.startswith(("libav", "avcodec"))]

    assert named == []
    assert "ffmpeg is not part of this" in (bundle / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")


def test_it_takes_no_more_space_than_it_may(bundle: Path):
    weight = total(weigh(bundle, level=1))  # the quickest, which packs the least

    assert weight.size <= FOLDER_MB * 1e6
    assert weight.compressed <= COMPRESSED_MB * 1e6


def test_nothing_in_it_names_the_folder_it_was_built_in(bundle: Path):
    named = [path for path in files_of(bundle) if str(ROOT).encode() in path.read_bytes()]

    assert named == []


@pytest.fixture
def spy(tmp_path: Path) -> Iterator[Path]:
    """An "interpreter" that writes down the arguments and the environment of its first run, and ends."""
    script = tmp_path / "python"
    code = "import json, os, sys; json.dump([sys.argv[2:], dict(os.environ)], open(sys.argv[1], 'x'))"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -c "{code}" "{tmp_path}/seen.json" "$@"\n')
    script.chmod(0o755)
    yield script


@pytest.mark.parametrize("own", ["/the/users/own", None])
def test_a_worker_sees_nothing_of_the_frozen_program(bundle: Path, spy: Path, tmp_path: Path, own: str | None):
    (tmp_path / "sound").mkdir()
    write_sound(tmp_path / "sound" / "a.wav", noise(800), 800, "PCM_16")
    config = {
        "name": "n",
        "model": {"source": "zoo", "name": "BirdNET"},
        "input": {"folders": [str(tmp_path / "sound")]},
        "output": {"folder": str(tmp_path / "output")},
    }
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("LD_", "PYTHON"))}
    given = {**inherited, "PYTHONPATH": "/x", "PYTHONHOME": "/y", **({"LD_LIBRARY_PATH": own} if own else {})}
    folders = ("--state-folder", str(tmp_path / "state"), "--cache-folder", str(tmp_path / "cache"))

    with Wire(argv=command(*folders), env=given) as wire:
        wire.ask(1, "inference/run", {"config": config, "environment": {"python": str(spy)}})
        error = wire.reply(1)["error"]

    assert error["code"] in (1005, 1008), error
    arguments, seen = json.loads((tmp_path / "seen.json").read_text())
    assert arguments == ["-I", "-B", str(bundle / "ml_runtime" / "__main__.py")]
    assert seen.get("LD_LIBRARY_PATH") == own
    assert not [name for name in seen if name.startswith(("_PYI", "_MEI", "PYTHON"))]
    assert {name for name, text in seen.items() if given.get(name) != text} <= SET_BY_A_SHELL
