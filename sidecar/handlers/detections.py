"""detections/*: clips in which a class was detected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rpc.errors import RequestCancelled, RpcError
from schemas.audio import ClipParams
from schemas.detections import Detection, Render, Sample, SampleParams
from sidecar.audio.clips import render_clip
from sidecar.scores.sampling import sample_detections

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def sample(params: SampleParams, call: Call, services: Services) -> Sample:
    """detections/sample. A clip that cannot be rendered carries its own error, and the others come all the same."""
    found = sample_detections(services.scores.get(params.scores_id), params, call.token)
    if params.render is None:
        return found
    rendered = tuple(_rendered(detection, params.render, call, services) for detection in found.detections)
    return msgspec.structs.replace(found, detections=rendered)


def _rendered(detection: Detection, render: Render, call: Call, services: Services) -> Detection:
    request = ClipParams(
        path=detection.path,
        start_seconds=detection.start_seconds,
        end_seconds=detection.end_seconds,
        spectrogram=render.spectrogram,
        audio=render.audio,
        include=render.include,
        delivery=render.delivery,
    )
    try:
        return msgspec.structs.replace(detection, clip=render_clip(request, call.token, services.blobs))
    except RequestCancelled:
        raise
    except RpcError as error:
        return msgspec.structs.replace(detection, error=error.to_wire())
