"""scores/*: tables of scores, and questions about them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from rpc.methods import Params
from schemas.base import Wire

PathText = Annotated[str, Meta(min_length=1)]
TableFormat = Literal[
    "opensoundscape", "simple", "sparse", "job",
    "birdnet", "birdnet-raven", "raven", "audacity", "kaleidoscope", "chirpity",
]  # fmt: skip
"""`opensoundscape`: a row per clip, a column per class; `simple`: the same for whole files; `sparse`: a row per
score; `job`: the folder of a job; `birdnet`: BirdNET-Analyzer's CSV, its form for R, or Parquet; the others are
what they are called."""


class LoadParams(Params, frozen=True):
    """scores/load: open a score table or a job folder. `audio_root` is where its recordings are now."""

    path: PathText
    format: Literal["auto"] | TableFormat = "auto"
    audio_root: PathText | None = None


class ClassSummary(Wire, frozen=True):
    """A class: how many scores it has, and their range. NaN scores are not counted."""

    name: str
    count: int
    min: float | None
    max: float | None
    mean: float | None


class RowProblem(Wire, frozen=True):
    """A row that could not be read (`row` counts from 1, the header being row 1), or the whole table when 0."""

    row: int
    message: str


class ScoreTable(Wire, frozen=True):
    """An open table. `row_count` counts clips; `problems` lists at most 1,000 rows."""

    scores_id: str
    path: str
    format: TableFormat
    layout: Literal["dense", "sparse"]
    row_count: int
    file_count: int
    classes: tuple[ClassSummary, ...]
    score_range: tuple[float, float] | None
    problems: tuple[RowProblem, ...]


class CloseParams(Params, frozen=True):
    """scores/close: forget an open table."""

    scores_id: str
