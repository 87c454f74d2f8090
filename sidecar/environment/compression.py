"""The ways in which a tar archive is compressed, undone piece by piece.

What lives here: gzip, zstandard and none at all, told apart by their first bytes. What must not: files, threads.

No step gives more than a few MB, however far the data would grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from typing import Any, cast

_GZIP, _ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = tuple(bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16))
_TAR, _TAR_AT = b"ustar", 257
_STEP_BYTES = 4 * 1024 * 1024


class Damaged(Exception):
    """The compressed data is no such data, or ends early; the message is the end of a sentence."""


def decompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What is in a file that is read as `chunks`.

    Raises
    ------
    Damaged
    """
    first = next(chunks, b"")
    if not first:
        raise Damaged("it is empty")
    if first.startswith(_GZIP):
        return _inflated(chain([first], chunks))
    if first.startswith((_ZSTANDARD, *_SKIPPABLE)):
        return _unzstandarded(chain([first], chunks))
    if first[_TAR_AT:].startswith(_TAR):
        return chain([first], chunks)
    raise Damaged("it is no .tar.gz, .tar.zst or .zip file")


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip data; several may follow one another in a file, and zeros may fill it up."""
    from isal import isal_zlib  # twice as fast as zlib, and here for the pictures anyway

    damage = cast("type[Exception]", isal_zlib.error)  # its stubs make it an instance
    inflater = None
    try:
        for chunk in chunks:
            remaining = chunk
            while remaining:
                if inflater is None:
                    remaining = remaining.lstrip(b"\0")
                    if not remaining:
                        break
                    inflater = isal_zlib.decompressobj(wbits=31)
                yield inflater.decompress(remaining, _STEP_BYTES)
                remaining = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                if inflater.eof:
                    inflater = None
    except damage as error:
        raise Damaged("the compressed data is damaged") from error
    if inflater is not None:
        raise Damaged("it is cut short")


def _unzstandarded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Zstandard data; several frames may follow one another in a file."""
    zstd = _zstandard()
    inflater = None
    try:
        for chunk in chunks:
            remaining = chunk
            while remaining or not (inflater is None or inflater.needs_input):
                inflater = inflater or zstd.ZstdDecompressor()
                yield inflater.decompress(remaining, _STEP_BYTES)
                remaining = inflater.unused_data if inflater.eof else b""
                if inflater.eof:
                    inflater = None
    except zstd.ZstdError as error:
        raise Damaged(f"the compressed data is damaged ({error})") from error
    if inflater is not None:
        raise Damaged("it is cut short")


def _zstandard() -> Any:
    """Python's own module, which it has from 3.14 on, or the same for older ones."""
    try:
        return import_module("compression.zstd")
    except ImportError:
        return import_module("backports.zstd")
