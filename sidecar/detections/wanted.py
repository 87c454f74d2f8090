"""From detections to the clips that show them.

What lives here: where a clip begins and ends around its detection, checks of the request. What must not: choosing
detections from a table (sidecar/scores/choosing.py), files.
"""

from __future__ import annotations

import msgspec

from rpc.errors import InvalidParams
from schemas.detections import ChosenDetection, ExportParams, Render


def check_choice(params: ExportParams) -> None:
    """Detections come from an open table or from a list. Raises InvalidParams."""
    if (params.scores_id is None) == (params.detections is None):
        raise InvalidParams("$: give either scoresId, to export from an open table, or the list detections.")
    if params.detections is None:
        return
    narrowing = {"class": params.class_, "scoreRange": params.score_range, "limit": params.limit}
    useless = next((name for name, value in narrowing.items() if value is not None), None)
    if useless is not None:
        raise InvalidParams(f"$.{useless}: this chooses from a table, and does nothing to a list of detections.")


def place_around(detection: ChosenDetection, params: ExportParams) -> ChosenDetection:
    """The detection with the times of its clip: with what is wanted before and after it.

    Times of 0 and 0 stand for a whole file, shown by its beginning. Times that are none stay so, and are refused
    when the clip is rendered.
    """
    start, end = detection.start_seconds, detection.end_seconds
    if start == end == 0:
        end = params.seconds_when_whole_file
    if start <= end:
        start, end = start - params.pad_before_seconds, end + params.pad_after_seconds
    return msgspec.structs.replace(detection, start_seconds=start, end_seconds=end)


def rendering_of(params: ExportParams) -> Render:
    """How every clip is rendered."""
    return Render(spectrogram=params.spectrogram, audio=params.audio, include=params.include)
