"""A table as it is kept: a folder of columns, and a document that says what they are.

    table.json                          Document (canonical.py)
    file.u4 start.f8 end.f8             a number per clip: its recording (of Document.files), its times in seconds
    scores.duckdb, clip-row.u4          wide tables: a column per class, and the row of each clip, in the same order
    score.f8 clip.u4 row.u4             long tables: a number per score, by class, the highest first, NaN last;
    low.f8 high.f8                      where Document.bounded, the bounds of the call in Hz, NaN for unknown

What lives here: these names, writing and mapping them. What must not: how tables come into this form.

A recording's name stands once, in the document: millions of clips have its number. Clips and rows count from 0.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from rpc.decoders import decoder_for
from survey.tables.canonical import Document
from survey.tables.columns import Column, mapped
from survey.tables.sorting import KINDS

DOCUMENT = "table.json"
WIDE_SCORES = "scores.duckdb"
CLIP_KINDS = {"file": "u4", "start": "f8", "end": "f8", "clip-row": "u4"}


@dataclass(frozen=True, slots=True)
class Clips:
    """Of every clip the number of its recording, and its times in seconds; of wide tables its row, too."""

    file: Column
    start: Column
    end: Column
    row: Column | None


@dataclass(frozen=True, slots=True)
class LongScores:
    """The scores of class k are `ends[k]:ends[k + 1]` of each column, the highest first, NaN last."""

    ends: Column
    score: Column
    clip: Column
    row: Column
    low: Column | None
    high: Column | None


@dataclass(frozen=True)
class KeptTable:
    """A kept table. `scores` is None for wide tables, whose scores are in a database."""

    folder: Path
    document: Document
    clips: Clips
    scores: LongScores | None

    @cached_property
    def classes(self) -> Column:
        """The number of the class of every score of a long table."""
        numbers: Column = np.repeat(np.arange(len(self.document.held), dtype=np.int32), self.document.held)
        return numbers


def write_document(folder: Path, document: Document) -> None:
    """Write what makes columns in `folder` a table: the last that is written. Raises OSError."""
    with (folder / DOCUMENT).open("wb") as file:
        file.write(msgspec.json.encode(document))
        file.flush()
        os.fsync(file.fileno())


def read_kept(folder: Path) -> KeptTable:
    """The table in `folder`.

    Raises
    ------
    OSError, ValueError
        It is no whole table.
    """
    try:
        document: Document = decoder_for(Document).decode((folder / DOCUMENT).read_bytes())
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    file, start, end = (_column(folder, name, CLIP_KINDS[name], document.clips) for name in ("file", "start", "end"))
    row = _column(folder, "clip-row", "u4", document.clips) if document.content.wide else None
    clips = Clips(file, start, end, row)
    return KeptTable(folder, document, clips, None if document.content.wide else _long(folder, document))


def _long(folder: Path, document: Document) -> LongScores:
    ends = np.concatenate(([0], np.cumsum(document.held, dtype=np.int64)))
    count = int(ends[-1])
    score, clip, row = (_column(folder, name, KINDS[name], count) for name in ("score", "clip", "row"))
    low, high = (_column(folder, name, "f8", count) if document.bounded else None for name in ("low", "high"))
    return LongScores(ends, score, clip, row, low, high)


def _column(folder: Path, name: str, kind: str, count: int) -> Column:
    column = mapped(folder / f"{name}.{kind}", kind)
    if len(column) != count:
        raise ValueError(f"{name} has {len(column)} numbers instead of {count}")
    return column
