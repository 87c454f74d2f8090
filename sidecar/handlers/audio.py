"""audio/*: what a recording is, and clips of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rpc.call import Progress
from rpc.errors import RpcError
from schemas.audio import BatchClip, Clip, ClipParams, Clips, ClipsParams, InfoParams, RecordingInfo
from sidecar.audio.batch import Outcome, in_batch
from sidecar.audio.clips import clip_request
from sidecar.audio.info import describe_recording
from sidecar.audio.warm import prepare_in_background

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def info(params: InfoParams, call: Call, services: Services) -> RecordingInfo:
    """audio/info."""
    described = describe_recording(params, call.token)
    prepare_in_background()
    return described


def clip(params: ClipParams, call: Call, services: Services) -> Clip:
    """audio/clip."""
    return services.clips.render(params, call.token)


def clips(params: ClipsParams, call: Call, services: Services) -> Clips:
    """audio/clips. A clip that cannot be rendered carries its own error, and the others come all the same."""
    total = len(params.clips)
    call.begin(Progress(title="Rendering clips", done=0, total=total, unit="clips"))
    rows: list[BatchClip] = []
    failed = 0

    def on_ready(number: int, outcome: Outcome) -> None:
        nonlocal failed
        failed += isinstance(outcome, RpcError)
        row = _row(params.clips[number].clip_id, number, outcome)
        if call.wants_partial:
            call.partial([row])
        else:
            rows.append(row)
        call.report(Progress(done=number + 1, total=total, unit="clips"))

    services.clips.render_all([clip_request(one, params) for one in params.clips], call.token, on_ready)
    return Clips(clips=tuple(rows), failed=failed)


def _row(clip_id: str | None, number: int, outcome: Outcome) -> BatchClip:
    if isinstance(outcome, RpcError):
        return BatchClip(clip_id=clip_id, error=in_batch(outcome, number).to_wire())
    return BatchClip(clip_id=clip_id, **msgspec.structs.asdict(outcome))
