"""The generated TypeScript types every call from end to end."""

from __future__ import annotations

import subprocess

import pytest

from tools.node import ensure_packages
from tools.paths import ROOT

ELECTRON = ROOT / "electron"
COMPILER = ELECTRON / "node_modules" / "typescript" / "bin" / "tsc"


def compile_project(project):
    node = ensure_packages(ELECTRON)
    command = [node.program, COMPILER, "--noEmit", "--project", project]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_examples_compile_and_their_mistakes_are_refused():
    # src/examples/wrong-client.ts marks its mistakes with @ts-expect-error: one that compiles is an error itself.
    finished = compile_project(ELECTRON)

    assert finished.returncode == 0, finished.stdout


@pytest.mark.slow
def test_a_mistake_without_that_mark_does_not_compile():
    source = ELECTRON / "src" / "examples" / "check-of-the-check.ts"
    marked = (ELECTRON / "src" / "examples" / "wrong-client.ts").read_text("utf-8")
    source.write_text("\n".join(line for line in marked.split("\n") if "@ts-expect-error" not in line), "utf-8")
    try:
        finished = compile_project(ELECTRON)
    finally:
        source.unlink()

    assert finished.returncode != 0
    assert finished.stdout.count("error TS") == marked.count("  // @ts-expect-error")
