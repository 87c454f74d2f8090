"""A piece of somebody else's work, as a notice names it.

What lives here: the struct, and the texts of licences that many share. What must not: finding components.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TEXTS = Path(__file__).with_name("texts")


@dataclass(frozen=True)
class LicenceText:
    """The text of a licence, and the name of the file that it was in."""

    name: str
    content: str


@dataclass(frozen=True)
class Component:
    """`source` is where its source code is, `remark` whatever else must be said."""

    name: str
    version: str
    licence: str
    texts: tuple[LicenceText, ...]
    source: str = ""
    remark: str = ""


@cache
def common_text(name: str) -> LicenceText:
    """One of tools/notices/texts/, by its SPDX identifier."""
    return LicenceText(name, (_TEXTS / f"{name}.txt").read_text(encoding="utf-8"))


def has_common_text(name: str) -> bool:
    """Whether the licence of that SPDX identifier is among them."""
    return (_TEXTS / f"{name}.txt").is_file()
