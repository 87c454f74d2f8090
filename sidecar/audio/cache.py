"""Rendered clips on the disk, so that paging back is instant.

What lives here: the key of a clip, reading, writing, and forgetting the least recently used. What must not: rendering.

A clip is known by everything that it is made of: the recording's path, size, times and place on the disk, the clip's
times, and all settings that change a byte of it. So a recording that changes is another one, and its old
clips are never shown again; they fall out as the cache fills.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import threading
import time
from pathlib import Path

import msgspec
from isal import isal_zlib

from schemas.audio import AudioSettings, ClipParams, SpectrogramSettings
from sidecar.audio.clips import RenderedClip
from survey.paths import path_from_wire

DEFAULT_LIMIT_BYTES = 512 * 2**20

_RENDERING = 1
"""Counts up whenever the same request would give other bytes than before."""

_KEPT_WHEN_FULL = 0.9
_NAME = re.compile(r"[0-9a-f]{40}\.clip(\.[0-9a-f]{8}\.partial)?")
_ABANDONED_SECONDS = 3600.0
_CHECKSUM_BYTES = 4
# A file that changes twice within one tick of its file system's clock keeps its time. Whole seconds: FAT.
_TICK_NS, _COARSE_TICK_NS = 50_000_000, 2_000_000_000

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RenderedClip)


class _Identity(msgspec.Struct, frozen=True, array_like=True):
    """Everything that a rendered clip is made of."""

    rendering: int
    path: str
    size: int
    modified_ns: int
    changed_ns: int
    device: int
    inode: int
    start_seconds: float
    end_seconds: float
    picture: SpectrogramSettings | None
    sound: AudioSettings | None
    channel: int | None


class ClipCache:
    """Rendered clips in `folder`, about `limit_bytes` of them. Thread-safe, and several processes may share it.

    A cache that cannot be read or written is as good as an empty one: no method raises.
    """

    def __init__(self, folder: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._bytes: int | None = None
        self._lock = threading.Lock()

    def key_of(self, request: ClipParams) -> str | None:
        """The key of a clip as its recording is now; None when there is no such file, or it changes as we look."""
        path = path_from_wire(request.path)
        try:
            status = path.stat()
        except OSError:
            return None
        tick = _TICK_NS if status.st_mtime_ns % 1_000_000_000 else _COARSE_TICK_NS
        if time.time_ns() - status.st_mtime_ns < tick:
            return None
        identity = _Identity(
            rendering=_RENDERING,
            path=str(path),
            size=status.st_size,
            modified_ns=status.st_mtime_ns,
            changed_ns=status.st_ctime_ns,
            device=status.st_dev,
            inode=status.st_ino,
            start_seconds=request.start_seconds,
            end_seconds=request.end_seconds,
            picture=request.spectrogram if "spectrogram" in request.include else None,
            sound=request.audio if "audio" in request.include else None,
            channel=request.audio.channel,
        )
        # Text that is not UTF-8 (a file name) cannot be encoded as it is.
        content = _encoder.encode(msgspec.structs.replace(identity, path=os.fsencode(str(path)).hex()))
        return hashlib.blake2b(content, digest_size=20).hexdigest()

    def get(self, key: str) -> RenderedClip | None:
        """The clip of this key, if it is there and whole."""
        path = self._path(key)
        try:
            content = path.read_bytes()
            rendered = _decoded(content)
            os.utime(path)
        except OSError:
            return None
        if rendered is None:
            self._forget(path, len(content))
        return rendered

    def put(self, key: str, rendered: RenderedClip) -> None:
        """Keep a clip. Whoever reads it meanwhile sees the whole of it or nothing."""
        payload = _encoder.encode(rendered)
        content = isal_zlib.crc32(payload).to_bytes(_CHECKSUM_BYTES, "big") + payload
        path = self._path(key)
        aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
        try:
            self._make_room(len(content))
            # Not flushed to disk: a checksum tells what a power cut has left.
            aside.write_bytes(content)
            aside.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                aside.unlink()

    def clear(self) -> int:
        """Forget everything. Returns the bytes freed."""
        with self._lock:
            freed = sum(self._remove(path, size) for _, size, path in self._entries())
            self._bytes = None
        return freed

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.clip"

    def _make_room(self, coming_bytes: int) -> None:
        with self._lock:
            if self._bytes is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._bytes = sum(size for _, size, _ in self._entries())
            self._bytes += coming_bytes
            if self._bytes > self._limit_bytes:
                self._bytes = coming_bytes + self._evict(int(self._limit_bytes * _KEPT_WHEN_FULL) - coming_bytes)

    def _evict(self, allowed_bytes: int) -> int:
        """Remove the least recently used until the rest fits, and what writers have abandoned. Returns what is left."""
        entries = sorted(self._entries())
        left = sum(size for _, size, _ in entries)
        for used, size, path in entries:
            abandoned = path.suffix == ".partial" and time.time() - used > _ABANDONED_SECONDS
            if abandoned or (left > allowed_bytes and path.suffix != ".partial"):
                left -= self._remove(path, size)
        return left

    def _forget(self, path: Path, size: int) -> None:
        with self._lock:
            freed = self._remove(path, size)
            if self._bytes is not None:
                self._bytes -= freed

    def _remove(self, path: Path, size: int) -> int:
        try:
            path.unlink()
        except OSError:
            return 0
        return size

    def _entries(self) -> list[tuple[float, int, Path]]:
        """(last use, size, path) of each of our files."""
        found = []
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name):
                    with contextlib.suppress(OSError):
                        status = entry.stat(follow_symlinks=False)
                        found.append((status.st_mtime, status.st_size, Path(entry.path)))
        return found


def _decoded(content: bytes) -> RenderedClip | None:
    payload = memoryview(content)[_CHECKSUM_BYTES:]
    if isal_zlib.crc32(payload) != int.from_bytes(content[:_CHECKSUM_BYTES], "big"):
        return None
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError:
        return None
