"""Chirpity's export of detections.

    File,Detection start,Detection end,Common name,Latin name,Confidence,Label,Comment,Call count,File offset,...

What lives here: what its columns mean. What must not: anything else.

Detection start and end are times of the day; where in the file a detection is, Start (s) and End (s) tell, or File
offset, which may read 01:02:03. Confidence may read "confirmed", which counts as 1.
"""

from __future__ import annotations

from survey.tables.meaning import Columns, Meaning, first_of
from survey.tables.sources import Source

_CLIP_SECONDS = 3.0


def recognise(source: Source) -> Meaning | None:
    """The meaning of Chirpity's table; None when it is none."""
    columns = Columns(source.columns)
    if not columns.has("file", "detection start", "confidence") or columns.position("start (s)", "file offset") is None:
        return None
    confidence = columns.text("confidence")
    percent = f"CASE WHEN {confidence} LIKE '%!%' ESCAPE '!' THEN 100 ELSE 1 END"
    share = f"TRY_CAST(replace(rtrim({confidence}, '% '), ',', '.') AS DOUBLE) / {percent}"
    begins = [name for name in ("start (s)", "file offset") if _is_number(source, columns, name)]
    ends = [name for name in ("end (s)",) if _is_number(source, columns, name)]
    start = first_of(*map(columns.number, begins), *() if begins else (_seconds(columns.text("file offset")),))
    common = columns.text("common name")
    return Meaning(
        format="chirpity",
        path=columns.text("file"),
        start=start,
        end=first_of(*map(columns.number, ends), f"{start} + {_CLIP_SECONDS}"),
        name=first_of(columns.text("latin name", "scientific name"), common),
        score=f"CASE WHEN lower({confidence}) = 'confirmed' THEN 1.0 ELSE {share} END",
        common=common,
        numbers=columns.numbers(*begins, *ends),
    )


def _seconds(clock: str) -> str:
    """SQL for the seconds that hours, minutes and seconds, or the last two or one of them, amount to."""
    parts = f"list_transform(string_split({clock}, ':'), lambda part: TRY_CAST(part AS DOUBLE))"
    return f"list_reduce({parts}, lambda total, part: total * 60 + part)"


def _is_number(source: Source, columns: Columns, name: str) -> bool:
    position = columns.position(name)
    return position is not None and source.is_number(position)
