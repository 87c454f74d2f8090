"""The file of notices.

What lives here: its form. What must not: what it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.notices.component import Component, LicenceText
from tools.paths import ROOT

NAME = "THIRD_PARTY_NOTICES.txt"
_RULE = "=" * 100
_FFMPEG = """\
ffmpeg is not part of this. Where a user has installed it, it is started as a program of its own to read recordings
(M4A, AAC, WMA) that libsndfile does not read. It is under the LGPL-2.1-or-later or, as most builds are configured, the
GPL-2.0-or-later.
"""


def write_notices(path: Path, what: str, components: Sequence[Component]) -> None:
    """Write the notices of `what` ("the frozen sidecar") to `path`."""
    path.write_text("\n".join(_lines(what, components)) + "\n", encoding="utf-8")


def _lines(what: str, components: Sequence[Component]) -> Iterator[str]:
    ours = (ROOT / "LICENSE").read_text(encoding="utf-8")
    yield f"Third-party notices of {what}\n"
    yield f"Dipper's own code is under the MIT licence:\n\n{ours}"
    yield f"It comes together with the work of others, {len(components)} in number, each under its own licence:\n"
    width = max(len(component.name) for component in components)
    for component in components:
        yield f"  {component.name:{width}}  {component.version:14}  {component.licence}".rstrip()
    yield f"\n{_FFMPEG}"
    printed: dict[str, str] = {}
    for component in components:
        yield from _section(component, printed)


def _section(component: Component, printed: dict[str, str]) -> Iterator[str]:
    """One component. A text that was printed before is referred to: `printed` tells where it is."""
    title = f"{component.name} {component.version}".rstrip()
    yield f"{_RULE}\n{title}: {component.licence}"
    yield from (line for line in (component.source, component.remark) if line)
    yield ""
    for text in component.texts:
        yield from _text(text, title, printed)
    if not component.texts:
        yield "Its authors ship no text of the licence.\n"


def _text(text: LicenceText, title: str, printed: dict[str, str]) -> Iterator[str]:
    place = printed.setdefault(" ".join(text.content.split()), title)
    if place != title:
        yield f"--- {text.name}: as under {place}, above\n"
    else:
        yield f"--- {text.name}\n\n{text.content}"
