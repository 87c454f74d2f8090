"""audio/*: what a recording is, and clips of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.audio import Clip, ClipParams, InfoParams, RecordingInfo
from sidecar.audio.clips import render_clip
from sidecar.audio.info import describe_recording

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def info(params: InfoParams, call: Call, services: Services) -> RecordingInfo:
    """audio/info."""
    return describe_recording(params)


def clip(params: ClipParams, call: Call, services: Services) -> Clip:
    """audio/clip. `services.blobs` is the process's one sidecar.audio.blobs.BlobStore."""
    return render_clip(params, call.token, services.blobs)
