"""detections/*: clips in which a class was detected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rpc.errors import RpcError
from schemas.audio import ClipParams
from schemas.detections import Detection, Render, Sample, SampleParams
from sidecar.audio.batch import Outcome
from sidecar.scores.sampling import sample_detections

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def sample(params: SampleParams, call: Call, services: Services) -> Sample:
    """detections/sample. A clip that cannot be rendered carries its own error, and the others come all the same."""
    found = sample_detections(services.scores.get(params.scores_id), params, call.token)
    if params.render is None:
        return found
    requests = [_clip_of(detection, params.render) for detection in found.detections]
    outcomes = services.clips.render_all(requests, call.token)
    rendered = tuple(map(_with_clip, found.detections, outcomes))
    return msgspec.structs.replace(found, detections=rendered)


def _clip_of(detection: Detection, render: Render) -> ClipParams:
    return ClipParams(
        path=detection.path,
        start_seconds=detection.start_seconds,
        end_seconds=detection.end_seconds,
        spectrogram=render.spectrogram,
        audio=render.audio,
        include=render.include,
        delivery=render.delivery,
    )


def _with_clip(detection: Detection, outcome: Outcome) -> Detection:
    if isinstance(outcome, RpcError):
        return msgspec.structs.replace(detection, error=outcome.to_wire())
    return msgspec.structs.replace(detection, clip=outcome)
