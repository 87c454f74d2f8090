"""What Windows shows as the properties of sidecar.exe.

What lives here: the version resource. What must not: anything that the other platforms need.
"""

from __future__ import annotations

from typing import Any

from schemas.version import VERSION

_NAME = "Dipper sidecar"
_US_ENGLISH_UNICODE = "040904B0"
_TRANSLATION = [0x0409, 1200]


def version_resource() -> Any:
    """The structure that PyInstaller's EXE takes as `version`; its classes exist on Windows alone."""
    from PyInstaller.utils.win32 import versioninfo

    number = (*(int(part) for part in VERSION.split(".")[:3]), 0)
    strings = {
        "FileDescription": "Bioacoustics backend: JSON-RPC 2.0 on stdin and stdout",
        "FileVersion": VERSION,
        "InternalName": "sidecar",
        "OriginalFilename": "sidecar.exe",
        "ProductName": _NAME,
        "ProductVersion": VERSION,
    }
    table = versioninfo.StringTable(
        _US_ENGLISH_UNICODE, [versioninfo.StringStruct(name, text) for name, text in strings.items()]
    )
    return versioninfo.VSVersionInfo(
        ffi=versioninfo.FixedFileInfo(filevers=number, prodvers=number),
        kids=[
            versioninfo.StringFileInfo([table]),
            versioninfo.VarFileInfo([versioninfo.VarStruct("Translation", _TRANSLATION)]),
        ],
    )
