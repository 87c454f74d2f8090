"""folders/*: which recordings a folder holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rpc.call import Progress
from schemas.folders import Scan, ScanParams
from sidecar.audio.warm import prepare_in_background
from sidecar.folders.scan import scan_folder

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def scan(params: ScanParams, call: Call, services: Services) -> Scan:
    """folders/scan."""
    call.begin(Progress(title="Looking for recordings", unit="files"))

    def on_progress(found: int, folder: str) -> None:
        call.report(Progress(done=found, message=folder, unit="files"))

    found = scan_folder(params, call.token, on_progress, call.partial if call.wants_partial else None)
    prepare_in_background()
    return found
