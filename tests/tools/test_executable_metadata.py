"""What Windows and macOS show of the executable: its version and its icon."""

from __future__ import annotations

import sys
import types

import pytest
from PIL import Image

from schemas.version import VERSION
from tools.freezing.windows import version_resource
from tools.paths import ROOT

ICONS = ROOT / "electron" / "icons"


@pytest.fixture
def pefile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake of what PyInstaller's module imports to read and write programs: neither is done here."""
    if sys.platform != "win32":
        monkeypatch.setitem(sys.modules, "pefile", types.ModuleType("pefile"))
        monkeypatch.setattr("PyInstaller.compat.win32api", None, raising=False)
        monkeypatch.delitem(sys.modules, "PyInstaller.utils.win32.versioninfo", raising=False)


def test_the_version_resource_holds_the_version_as_numbers_and_as_text(pefile: None):
    resource = version_resource()
    raw = resource.toRaw()

    major, minor, patch = (int(part) for part in VERSION.split("."))
    numbers, high, low = resource.ffi, (major << 16) + minor, patch << 16
    assert (numbers.fileVersionMS, numbers.fileVersionLS) == (high, low)
    assert (numbers.productVersionMS, numbers.productVersionLS) == (high, low)
    texts = {"ProductVersion": VERSION, "FileVersion": VERSION, "OriginalFilename": "sidecar.exe"}
    table = {string.name: string.val for string in resource.kids[0].kids[0].kids}
    assert texts.items() <= table.items()
    assert all(text.encode("utf-16-le") in raw for text in table.values())


@pytest.mark.parametrize(("name", "smallest", "largest"), [("icon.ico", 16, 256), ("icon.icns", 32, 1024)])
def test_the_icon_comes_in_the_sizes_that_are_shown(name: str, smallest: int, largest: int):
    with Image.open(ICONS / name) as icon:
        sides = {size[0] * (size[2] if len(size) > 2 else 1) for size in icon.info["sizes"]}

    assert min(sides) <= smallest
    assert max(sides) == largest
