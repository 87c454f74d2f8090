"""Columns of numbers on disk, a file each, which questions read through the computer's cache of files.

What lives here: writing such a file piece by piece, and mapping it. What must not: which columns a table has (kept.py).

A mapped column takes memory only where it is looked at, and gives it back by itself: tens of millions of scores are
asked without being read.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from rpc.errors import RequestFailed

Column = np.ndarray[tuple[int], np.dtype[Any]]
MAX_ROWS = 2**32 - 1


class ColumnWriter:
    """A column that grows at its end."""

    def __init__(self, path: Path, kind: str) -> None:
        """`kind` as numpy names it: "f8", "u4". Raises OSError."""
        self.path = path
        self.kind = np.dtype(kind)
        self._file = path.open("wb", buffering=0)

    def append(self, values: Column) -> None:
        """Raises OSError."""
        rest = np.ascontiguousarray(values, self.kind).view(np.uint8).data
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Have the whole column on the disk, even after a power cut. Raises OSError."""
        os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def mapped(path: Path, kind: str, mode: Literal["r", "r+"] = "r") -> Column:
    """The column that was written to `path`. Raises OSError, and ValueError where it ends within a number."""
    if path.stat().st_size == 0:
        return np.empty(0, kind)
    column: Column = np.asarray(np.memmap(path, dtype=kind, mode=mode))
    return column


def refuse_too_many(rows: int, path: Path) -> None:
    """Rows are counted with 32 bits. Raises RequestFailed."""
    if rows > MAX_ROWS:
        message = f"{path.name} has {rows} rows, and at most {MAX_ROWS} can be opened at once."
        raise RequestFailed(message, path=path, hint="Divide it into several tables.")
