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
    """An open table. `row_count` counts clips; `problems` lists at most 1,000 rows.

    `missing_file_count`: recordings that were not found below `audio_root`; null without one.
    """

    scores_id: str
    path: str
    format: TableFormat
    layout: Literal["dense", "sparse"]
    row_count: int
    file_count: int
    classes: tuple[ClassSummary, ...]
    score_range: tuple[float, float] | None
    problems: tuple[RowProblem, ...]
    missing_file_count: int | None = None


class CloseParams(Params, frozen=True):
    """scores/close: forget an open table."""

    scores_id: str


Score = Annotated[float | None, Meta(description="a score; an infinite one is sent as null")]
ScoreRange = tuple[float, float]


class PageParams(Params, frozen=True):
    """scores/page: rows of an open table, of one `class` or of all, some at a time.

    `score_range` includes both its ends; `files` are recordings as rows name them. `sort` by "score", by "path" (and
    time in it), or by "row", the order of the table. Absent scores and NaN are no rows.
    """

    scores_id: str
    class_: Annotated[str, Meta(min_length=1)] | None = None
    score_range: ScoreRange | None = None
    files: tuple[PathText, ...] | None = None
    sort: Literal["score", "path", "row"] = "score"
    descending: bool = True
    offset: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


class ScoreRow(Wire, frozen=True):
    """A score. `row` is its row in the table, counted from 0; times of 0 and 0 stand for a whole file."""

    row: int
    path: str
    start_seconds: float
    end_seconds: float
    class_: str
    score: Score


class Page(Wire, frozen=True):
    """Some rows; `total` counts all that fit."""

    rows: tuple[ScoreRow, ...]
    total: int


class HistogramParams(Params, frozen=True):
    """scores/histogram: how the scores of a class are distributed over `bins` of equal width.

    `range` defaults to the lowest and highest finite score. Scores outside it, infinite ones and NaN are not
    counted. Every bin includes its lower edge, the last one its upper edge too, as in numpy.histogram.
    """

    scores_id: str
    class_: Annotated[str, Meta(min_length=1)]
    bins: Annotated[int, Meta(ge=1, le=10_000)] = 50
    range: ScoreRange | None = None


class Histogram(Wire, frozen=True):
    """`counts[i]` scores lie between `edges[i]` and `edges[i + 1]`."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


GroupBy = Literal["class", "file", "hour", "date", "site"]


class SummaryParams(Params, frozen=True):
    """scores/summary: how many scores reach `threshold` (all, without one), of one `class` or of all, in groups.

    "hour" is that of the day ("05") and "date" ("2024-05-12") the day, by the recorder's clock, where the
    recording's name tells when it began. "site" is the recording's folder, seen from the folder that all have in
    common; where they share one folder, what stands before the time in the name.
    """

    scores_id: str
    by: GroupBy
    class_: Annotated[str, Meta(min_length=1)] | None = None
    threshold: float | None = None


class SummaryGroup(Wire, frozen=True):
    """A group, its number of scores, and the highest. `key` is null where the time or the site is not known.

    `max` is null without any score, and where the highest is infinite.
    """

    key: str | None
    count: int
    max: float | None


class Summary(Wire, frozen=True):
    """The groups: classes in the table's order, the others sorted by their key."""

    groups: tuple[SummaryGroup, ...]


ExportFormat = Literal["csv", "parquet", "raven", "audacity", "kaleidoscope", "birdnet"]


class ExportParams(Params, frozen=True):
    """scores/export: write an open table, or the part of it within `class` and `score_range`, for other programs.

    "csv" is OpenSoundscape's form, "parquet" a row per score; "audacity" makes `path` a folder with a label file
    for each recording (files of other recordings that are there stay). What a format cannot carry is refused by name,
    never changed; infinite scores can be carried by all, NaN by csv and parquet, elsewhere it is absent. `overwrite`
    replaces tables only (.csv, .tsv, .txt, .parquet), whatever `path` says.
    """

    scores_id: str
    path: PathText
    format: ExportFormat
    class_: Annotated[str, Meta(min_length=1)] | None = None
    score_range: ScoreRange | None = None
    overwrite: bool = False


class Exported(Wire, frozen=True):
    """Where it is, and how many rows were written: clips of a csv, scores of the others."""

    path: str
    row_count: int
