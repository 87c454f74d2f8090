"""Where a sidecar keeps things when nobody says where: as platformdirs has it."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from sidecar.settings import Settings


@pytest.mark.parametrize("home", ["/home/ada", "relative", None])
@pytest.mark.parametrize("named", [None, "", "  ", "/var/x", " /var/x ", "relative", "~/x"])
def test_unnamed_folders_are_the_platforms_own(monkeypatch, named, home):
    for variable, text in (("XDG_STATE_HOME", named), ("XDG_CACHE_HOME", named), ("HOME", home)):
        monkeypatch.delenv(variable, raising=False)
        if text is not None:
            monkeypatch.setenv(variable, text)
    settings = Settings()

    assert settings.state_folder == platformdirs.user_state_path("dipper-sidecar", appauthor=False)
    assert settings.cache_folder == platformdirs.user_cache_path("dipper-sidecar", appauthor=False)


def test_named_folders_are_taken_from_where_the_user_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    settings = Settings(Path("state"), Path("cache"))

    assert (settings.state_folder, settings.cache_folder) == (tmp_path / "state", tmp_path / "cache")
