r"""Audacity's labels: times and a text, without a header and without the recording's name.

    3.0 <tab> 6.0 <tab> Setophaga pusilla_Wilson's Warbler <tab> 0.87
    \ <tab> 1200.0 <tab> 8000.0

What lives here: recognising and reading that form. What must not: anything else.

The recording is the one that the table is called after. The score may be absent (1.0), or stand in the label as
`Wilson's Warbler 87%`. A line that starts with a backslash gives the frequency bounds of the label above it.
BirdNET writes both names of a species into the label, with an underscore between.
"""

from __future__ import annotations

import re

from survey.tables.meaning import Meaning, constant
from survey.tables.recording_names import recording_of
from survey.tables.sniff import TextTable
from survey.tables.sources import TextSource

_NUMBER = re.compile(r"\s*-?\d+([.,]\d+)?([eE][-+]?\d+)?\s*")
_BINOMIAL = "^[A-Z][a-z-]+ [a-z-]+( [a-z-]+)?_."
_PERCENT = r"^(.*?)\s*\(?(\d+(\.\d+)?)\s*%\)?\s*$"


def is_labels(table: TextTable) -> bool:
    """Whether the first row holds two times and a label, with tabs between."""
    first = table.columns
    return table.delimiter == "\t" and len(first) >= 2 and all(_NUMBER.fullmatch(cell) for cell in first[:2])


def meaning_of(source: TextSource) -> Meaning:
    """What the rows mean. All columns are words, because frequency lines are no rows of their own."""
    label, percent = "c2", f"regexp_extract(c2, '{_PERCENT}', 2)"
    named = f"CASE WHEN {percent} <> '' AND c3 IS NULL THEN regexp_extract(c2, '{_PERCENT}', 1) ELSE {label} END"
    both = f"regexp_matches({named}, '{_BINOMIAL}')"
    split = f"strpos({named}, '_')"
    follows = "lead(c0) OVER following = '\\'"
    return Meaning(
        format="audacity",
        path=constant(recording_of(source.path)),
        start="TRY_CAST(c0 AS DOUBLE)",
        end="TRY_CAST(c1 AS DOUBLE)",
        name=f"nullif(CASE WHEN {both} THEN left({named}, {split} - 1) ELSE {named} END, '')",
        score=f"coalesce(TRY_CAST(c3 AS DOUBLE), TRY_CAST({percent} AS DOUBLE) / 100, 1.0)",
        common=f"CASE WHEN {both} THEN substr({named}, {split} + 1) END",
        low=f"CASE WHEN {follows} THEN TRY_CAST(lead(c1) OVER following AS DOUBLE) END",
        high=f"CASE WHEN {follows} THEN TRY_CAST(lead(c2) OVER following AS DOUBLE) END",
        numbers=frozenset(),
        keep="c0 <> '\\'",
    )
