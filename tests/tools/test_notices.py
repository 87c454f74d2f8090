"""Third-party notices: what they say of distributions, of native libraries, of conda's packages; the file's form.

That those of the frozen sidecar and of the real archive are complete is tested in test_frozen_sidecar.py and in
tests/sidecar/environment/test_real_archive.py.
"""

from __future__ import annotations

import json
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

from tools.notices.component import Component, LicenceText
from tools.notices.distributions import component_of
from tools.notices.document import write_notices
from tools.notices.native import LIBSNDFILE, components_named
from tools.notices.prefix import components_of_prefix
from tools.notices.python import python_component

SITE = "lib/python3.11/site-packages"


def install(site: Path, name: str, about: str, *, files: dict[str, str] | None = None, installer: str = "pip") -> None:
    """A distribution as pip or conda leaves it."""
    folder = site / f"{name}-1.0.dist-info"
    written = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{about}\n", "INSTALLER": installer}
    paths = []
    for path, content in ({f"{folder.name}/{key}": text for key, text in written.items()} | (files or {})).items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(content)
        paths.append(path)
    (folder / "RECORD").write_text("".join(f"{path},,\n" for path in paths))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "prefix" / SITE
    folder.mkdir(parents=True)
    return folder


def only(site: Path) -> Component:
    return component_of(next(iter(metadata.distributions(path=[str(site)]))))


def test_a_distribution_is_named_with_its_licences_and_their_texts(site):
    files = {
        "loon-1.0.dist-info/licenses/LICENSE": "do what you like",
        "loon/NOTICE.txt": "by Ann",
        "loon/licence.py": "",
    }
    install(site, "loon", "License-Expression: MIT\nProject-URL: Source, https://example.org/loon", files=files)

    component = only(site)

    assert (component.name, component.version, component.licence) == ("loon", "1.0", "MIT")
    assert component.source == "https://example.org/loon"
    assert {text.content for text in component.texts} == {"do what you like\n", "by Ann\n"}


@pytest.mark.parametrize(
    ("about", "licence", "begins"),
    [
        ("Classifier: License :: OSI Approved :: MIT License", "MIT License", "Permission is hereby granted"),
        ("License: Apache 2.0", "Apache 2.0", "Apache License"),
        ("License: Mine\n        a\n        b\n        c\n        d", "Mine", "Mine"),
        ("Summary: none", "not stated", None),
    ],
)
def test_one_that_ships_no_text_gets_that_of_the_licence_it_names(site, about, licence, begins):
    install(site, "loon", about)

    component = only(site)

    assert component.licence == licence
    assert [text.content.strip().startswith(begins) for text in component.texts] == ([True] if begins else [])


def test_the_libraries_that_a_wheel_carries_are_named(site):
    install(site, "loon", "License: MIT", files={"loon.libs/libowl-0352e75f.so.5.0.0": "", "loon/libown.so": ""})

    assert only(site).remark == "It carries libowl."


@pytest.mark.parametrize(
    ("file", "name", "licence"),
    [
        ("libsndfile_x86_64.so", "libsndfile", "LGPL-2.1-or-later"),
        ("libsndfile_x64.dll", "libsndfile", "LGPL-2.1-or-later"),
        ("soxr_ext.abi3.so", "libsoxr", "LGPL-2.1-or-later"),
        ("libssl.so.3", "OpenSSL", "Apache-2.0"),
        ("libcrypto-3-x64.dll", "OpenSSL", "Apache-2.0"),
        ("libstdc++.so.6", "GCC's run-time libraries", "GPL-3.0-or-later WITH GCC-exception-3.1"),
        ("libscipy_openblas64_-32a4b2a6.so", "OpenBLAS", "BSD-3-Clause"),
        ("vcruntime140.dll", "Microsoft's C and C++ run-time libraries", "Microsoft Visual Studio licence terms"),
    ],
)
def test_native_libraries_are_known_by_their_files(file, name, licence):
    (component,), unknown = components_named([file])

    assert (component.name, component.licence, unknown) == (name, licence, [])
    assert all(text.content.strip() for text in component.texts)


def test_a_library_of_unknown_origin_is_told():
    assert components_named(["libmystery.so.1"]) == ([], ["libmystery.so.1"])


def test_libsndfile_comes_with_its_licence_and_where_its_source_is():
    (text,) = LIBSNDFILE.texts

    assert " ".join(text.content.split()).startswith("GNU LESSER GENERAL PUBLIC LICENSE Version 2.1, February 1999")
    assert len(text.content) > 26_000
    assert LIBSNDFILE.source
    assert "mpg123 (LGPL-2.1)" in LIBSNDFILE.remark


def test_a_conda_prefix_is_told_by_condas_records_and_what_pip_added(site, tmp_path):
    # Arrange
    prefix, cached = tmp_path / "prefix", tmp_path / "pkgs" / "heron-2.0-0"
    (cached / "info" / "licenses").mkdir(parents=True)
    (cached / "info" / "licenses" / "COPYING").write_text("herons are free")
    record = {"name": "heron", "version": "2.0", "license": "BSD-3-Clause", "extracted_package_dir": str(cached)}
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta" / "heron-2.0-0.json").write_text(json.dumps(record))
    install(site, "heron", "License: BSD", installer="conda")
    install(site, "loon", "License: MIT")

    # Act
    components, unknown = components_of_prefix(prefix, "3.11.7")

    # Assert
    assert [(one.name, one.version) for one in components] == [("heron", "2.0"), ("loon", "1.0")]
    assert components[0].texts == (LicenceText("COPYING", "herons are free\n"),)
    assert unknown == []


def test_a_copied_prefix_is_told_by_its_packages_and_the_libraries_beside_python(site, tmp_path):
    for name in ("libpython3.11.so.1.0", "libffi.so.8", "libmystery.so.1"):
        (tmp_path / "prefix" / "lib" / name).touch()
    install(site, "loon", "License: MIT")

    components, unknown = components_of_prefix(tmp_path / "prefix", "3.11.7")

    assert [one.name for one in components] == ["Python", "loon", "libffi"]
    assert unknown == ["libmystery.so.1"]


def test_a_text_is_printed_once_and_then_referred_to(tmp_path):
    mit = LicenceText("LICENSE", "take it\n")
    twice = [Component(name, "1", "MIT", (mit,)) for name in ("heron", "loon")]

    write_notices(tmp_path / "notices.txt", "the nest", twice)

    said = (tmp_path / "notices.txt").read_text()
    assert said.count("take it") == 1
    assert "LICENSE: as under heron 1, above" in said
    assert "ffmpeg is not part of this" in said


def test_python_comes_with_its_licence():
    component = python_component("3.11.7", Path(sysconfig.get_path("stdlib")))

    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in component.texts[0].content
    assert python_component("3.11.7", Path("/nowhere")).texts[0].content
