"""detections/*: clips in which a class was detected."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rpc.errors import ErrorObject
from rpc.methods import Params
from schemas.audio import AudioSettings, Clip, Delivery, Include, SpectrogramSettings
from schemas.base import Input, Wire
from schemas.scores import Score


class Render(Input, frozen=True):
    """How the clip of each detection is rendered; see audio/clip."""

    spectrogram: SpectrogramSettings = SpectrogramSettings()
    audio: AudioSettings = AudioSettings()
    include: tuple[Include, ...] = ("spectrogram", "audio")
    delivery: Delivery = "inline"


class SampleParams(Params, frozen=True):
    """detections/sample: `count` scores of `class` within `score_range` (both ends included).

    "top" takes the highest, "random" any, "stratified" as many from each part of the range of scores. With
    `group_by` every recording, date or site gives as many as the others, as far as it has them. The same `seed`
    chooses the same again. A row that stands for a whole file is shown by its first `seconds_when_whole_file`
    seconds.
    """

    scores_id: str
    class_: Annotated[str, Meta(min_length=1)]
    score_range: tuple[float, float] | None = None
    count: Annotated[int, Meta(ge=1, le=10_000)] = 12
    strategy: Literal["top", "random", "stratified"] = "top"
    seed: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    group_by: Literal["file", "date", "site"] | None = None
    render: Render | None = None
    seconds_when_whole_file: Annotated[float, Meta(gt=0)] = 5.0


class Detection(Wire, frozen=True):
    """A clip and its score. `row` is its row in the table (0-based); `clip` or `error` where rendering was asked."""

    path: str
    start_seconds: float
    end_seconds: float
    score: Score
    row: int
    clip: Clip | None = None
    error: ErrorObject | None = None


class Sample(Wire, frozen=True):
    """Detections, highest score first. `total` counts all that were in range."""

    detections: tuple[Detection, ...]
    total: int
