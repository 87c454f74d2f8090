"""detections/*: clips in which a class was detected."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rpc.errors import ErrorObject
from rpc.methods import Params
from schemas.audio import AudioSettings, Clip, Delivery, Include, SpectrogramSettings
from schemas.base import Input, Wire
from schemas.scores import PathText, Score, ScoreRange


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


class ExportSound(AudioSettings, frozen=True):
    """AudioSettings, but the level stays that of the recording unless `normalize` is asked for."""

    normalize: bool = False


class ChosenDetection(Input, frozen=True):
    """A detection to export. `class` and `score` go into the name of its files and into the table."""

    path: PathText
    start_seconds: float
    end_seconds: float
    class_: Annotated[str, Meta(min_length=1)] | None = None
    score: float | None = None


SoundFormat = Literal["wav", "flac"]
Padding = Annotated[float, Meta(ge=0, le=3600, description="seconds")]


class ExportParams(Params, frozen=True):
    """detections/export: the clips of detections as files in `folder`, which is made if only it is missing.

    Which ones: those of an open table (`scores_id`) by `class` (all, without one) and `score_range`, the highest
    `limit` of them (without a limit at most 100,000 may be in range); or those listed in `detections`.

    A clip reaches from `pad_before_seconds` before the detection to `pad_after_seconds` after it; what lies outside
    the recording is silence. Its files are called after class, score, recording and the detection's start:
    "Setophaga pusilla_0.87_S1_20240512_053000_723.5s.wav", with a number behind it where that is taken, for no file is
    ever replaced. Characters that some system does not allow in names become "_", long names are cut.

    The sound has 16 bits and one channel. With a `time_expansion` of 10 it is written to be played ten times as slow:
    its sample rate is a tenth, rounded to whole Hz (below 1 it plays faster). Spectrograms show true time and
    frequency.

    A row that stands for a whole file gives its first `seconds_when_whole_file` seconds.
    """

    folder: PathText
    scores_id: str | None = None
    class_: Annotated[str, Meta(min_length=1)] | None = None
    score_range: ScoreRange | None = None
    limit: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    detections: Annotated[tuple[ChosenDetection, ...], Meta(max_length=100_000)] | None = None
    include: Annotated[tuple[Include, ...], Meta(min_length=1)] = ("audio",)
    sound_format: SoundFormat = "wav"
    audio: ExportSound = ExportSound()
    spectrogram: SpectrogramSettings = SpectrogramSettings()
    pad_before_seconds: Padding = 0.0
    pad_after_seconds: Padding = 0.0
    time_expansion: Annotated[float, Meta(ge=0.01, le=100)] = 1.0
    seconds_when_whole_file: Annotated[float, Meta(gt=0, le=3600)] = 5.0


class FailedDetection(Wire, frozen=True):
    """A detection whose clip could not be exported, and why."""

    path: str
    start_seconds: float
    end_seconds: float
    class_: str | None
    score: Score
    error: ErrorObject


class ExportedDetections(Wire, frozen=True):
    """What was written: `clip_count` clips, of the `total` asked for; `failures` lists the first 100 of `failed`.

    `table` is a CSV file in `folder` with a row for each detection, those that failed too:
    file,start_time,end_time,class,score (so that scores/load reads it), then clip and spectrogram (the files' names),
    clip_start_time, clip_end_time, sample_rate (of the clip's file), time_expansion and error. It is null where there
    was nothing to export.
    """

    folder: str
    table: str | None
    total: int
    clip_count: int
    failed: int
    failures: tuple[FailedDetection, ...]
