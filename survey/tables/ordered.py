"""The scores of a wide table once more, by class and from the highest, as long tables have them.

What lives here: making these columns beside the table, and finding them again. What must not: questions.

They take as much room again as the table, and some seconds: so they are made when pages of all classes are asked for
that cannot be had otherwise, and stay as long as the table is kept.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from rpc.cancel import CancelToken
from survey.tables.columns import Column, ColumnWriter, mapped
from survey.tables.kept import KeptTable, LongScores
from survey.tables.sorting import KINDS, from_the_highest

_FOLDER = "ordered"
_NAMES = ("score", "clip", "row")
_THREADS = 2
_CLASSES_AT_ONCE = 8


def ordered_scores(kept: KeptTable, column_of: Callable[[int], Column], token: CancelToken) -> LongScores:
    """The columns of `kept`, made now unless they are there. `column_of` gives the scores of a class, NaN for absent.

    Raises
    ------
    OSError, RequestCancelled
    """
    folder = kept.folder / _FOLDER
    if not folder.exists():
        aside = kept.folder / f".{secrets.token_hex(4)}.partial"
        aside.mkdir()
        try:
            _write(aside, kept, column_of, token)
            with contextlib.suppress(FileExistsError):  # another process was quicker
                aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    counts = [summary.count for summary in kept.document.content.classes]
    ends = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    score, clip, row = (mapped(folder / f"{name}.{KINDS[name]}", KINDS[name]) for name in _NAMES)
    return LongScores(ends, score, clip, row, None, None)


def _write(folder: Path, kept: KeptTable, column_of: Callable[[int], Column], token: CancelToken) -> None:
    rows = kept.clips.row
    assert rows is not None
    by_row = np.argsort(rows, kind="stable")

    def in_order(position: int) -> tuple[Column, Column, Column]:
        token.raise_if_cancelled()
        scores = column_of(position)[by_row]
        there = np.flatnonzero(~np.isnan(scores))
        places = there[from_the_highest(scores[there])]
        clips = by_row[places]
        return scores[places], clips, rows[clips]

    count = len(kept.document.content.classes)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(ColumnWriter(folder / f"{name}.{KINDS[name]}", KINDS[name])) for name in _NAMES]
        threads = stack.enter_context(ThreadPoolExecutor(_THREADS, "ordering"))
        for first in range(0, count, _CLASSES_AT_ONCE):
            for columns in threads.map(in_order, range(first, min(first + _CLASSES_AT_ONCE, count))):
                for writer, column in zip(writers, columns, strict=True):
                    writer.append(column)
        for writer in writers:
            writer.close()
