"""What programs that the sidecar starts see of it: nothing, however it was started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rpc.wire import Wire, command

SET_BY_A_SHELL = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}


@pytest.mark.skipif(os.name == "nt", reason="the fake ffmpeg is a shell script")
@pytest.mark.parametrize("own", ["/the/users/own", None])
def test_ffmpeg_loads_its_own_libraries(tmp_path: Path, own: str | None) -> None:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nenv > "{tmp_path}/seen"\necho no sound >&2\nexit 1\n')
    program.chmod(0o755)
    (tmp_path / "call.m4a").write_bytes(b"....ftypM4A ")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("LD_")}
    path = f"{program.parent}{os.pathsep}{inherited['PATH']}"
    given = {**inherited, "PATH": path, **({"LD_LIBRARY_PATH": own} if own else {})}
    folders = ("--state-folder", str(tmp_path / "state"), "--cache-folder", str(tmp_path / "cache"))

    with Wire(argv=command(*folders), env=given) as wire:
        wire.ask(1, "audio/info", {"path": str(tmp_path / "call.m4a")})
        error = wire.reply(1)["error"]

    assert "no sound" in error["message"]
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines() if "=" in line)
    assert seen.get("LD_LIBRARY_PATH") == own
    assert {name for name, text in seen.items() if given.get(name) != text} <= SET_BY_A_SHELL
