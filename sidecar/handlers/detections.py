"""detections/*: clips in which a class was detected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rpc.call import Progress
from rpc.errors import InvalidParams, RpcError
from schemas.detections import (
    ChosenDetection,
    Detection,
    ExportedDetections,
    ExportParams,
    Sample,
    SampleParams,
)
from sidecar.audio.batch import Outcome, in_batch
from sidecar.audio.clips import RenderedClip, clip_request
from sidecar.audio.kept import encode_sound
from sidecar.detections.folder import ClipFiles, ExportFolder
from sidecar.detections.wanted import check_choice, place_around, rendering_of
from sidecar.scores.choosing import choose_detections
from sidecar.scores.sampling import sample_detections
from survey.paths import path_from_wire

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def sample(params: SampleParams, call: Call, services: Services) -> Sample:
    """detections/sample. A clip that cannot be rendered carries its own error, and the others come all the same."""
    found = sample_detections(services.scores.get(params.scores_id), params, call.token)
    if params.render is None:
        return found
    requests = [clip_request(detection, params.render) for detection in found.detections]
    outcomes = services.clips.render_all(requests, call.token)
    rendered = tuple(map(_with_clip, found.detections, outcomes))
    return msgspec.structs.replace(found, detections=rendered)


def _with_clip(detection: Detection, outcome: Outcome) -> Detection:
    if isinstance(outcome, RpcError):
        return msgspec.structs.replace(detection, error=outcome.to_wire())
    return msgspec.structs.replace(detection, clip=outcome)


def export(params: ExportParams, call: Call, services: Services) -> ExportedDetections:
    """detections/export. A clip that cannot be made is reported, and the others are written all the same."""
    check_choice(params)
    folder = path_from_wire(params.folder, "$.folder")
    chosen = _chosen(params, call, services)
    rendering = rendering_of(params)
    clips = [clip_request(place_around(detection, params), rendering) for detection in chosen]
    call.begin(Progress(title="Exporting clips", done=0, total=len(clips), unit="clips", failed=0))
    failed = 0
    with ExportFolder(folder, len(clips)) as exports:
        outcomes = services.clips.each(clips, call.token)
        for number, (detection, clip, outcome) in enumerate(zip(chosen, clips, outcomes, strict=True)):
            files = _files_of(outcome, params, call)
            if isinstance(files, RpcError):
                failed += 1
                listed = files if params.detections is None else in_batch(files, number, "detections")
                exports.add_failure(detection, clip, listed)
            else:
                exports.add(detection, clip, files)
            call.report(Progress(done=number + 1, total=len(clips), unit="clips", failed=failed))
    return exports.exported()


def _chosen(params: ExportParams, call: Call, services: Services) -> tuple[ChosenDetection, ...]:
    if params.detections is not None:
        return params.detections
    assert params.scores_id is not None
    return choose_detections(services.scores.get(params.scores_id), params, call.token)


def _files_of(outcome: RenderedClip | RpcError, params: ExportParams, call: Call) -> ClipFiles | RpcError:
    if isinstance(outcome, RpcError):
        return outcome
    try:
        sound, rate = None, None
        if outcome.wav is not None:
            sound, rate = encode_sound(outcome, params.sound_format, params.time_expansion, call.token)
    except InvalidParams as error:
        return error
    picture = outcome.picture
    return ClipFiles(
        sound=sound,
        sound_ending=f".{params.sound_format}",
        sample_rate=rate,
        time_expansion=params.time_expansion,
        spectrogram=None if picture is None else picture.png,
    )
