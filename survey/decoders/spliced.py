"""A file that begins with other bytes than the one on disk: how a wrong header is replaced without a copy.

What lives here: the file object. What must not: any format.
"""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class SplicedFile(io.RawIOBase):
    """A read-only file: `header`, followed by `size` bytes of `file` from `start` on. Closing it closes `file`."""

    def __init__(self, header: bytes, file: BinaryIO, start: int, size: int) -> None:
        self._header = header
        self._file = file
        self._start = start
        self._end = len(header) + size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = min(len(view), max(0, self._end - self._place))
        got = 0
        while got < count:
            piece = self._piece(count - got)
            if not piece:
                break
            view[got : got + len(piece)] = piece
            got += len(piece)
            self._place += len(piece)
        return got

    def close(self) -> None:
        self._file.close()
        super().close()

    def _piece(self, count: int) -> bytes:
        if self._place < len(self._header):
            return self._header[self._place : self._place + count]
        self._file.seek(self._start + self._place - len(self._header))
        return self._file.read(count)
