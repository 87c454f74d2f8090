"""Sharing a survey among processes that do not know of each other: which recordings are whose.

What lives here: that rule. What must not: where shards work (job_folder.py), joining them (ml_runtime/merge.py).

A recording's path, as it stands in the results, is hashed; the remainder of the hash tells its shard. So a shard is
a matter of the path and the number of shards alone: recordings that are added or taken away move no other one, and no
process has to see what the others see. docs/decisions/shards.md says what that costs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from rpc.errors import ConfigInvalid
from survey.paths import path_to_wire

MOST_SHARDS = 100_000
_WRITTEN = re.compile(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*")
_IN_A_NAME = re.compile(r"(\d{1,6})-of-(\d{1,6})")
_DIGEST_BYTES = 8


class Shard(msgspec.Struct, frozen=True, order=True, rename="camel"):
    """Share `index` (from 1) of `count`."""

    index: Annotated[int, Meta(ge=1)]
    count: Annotated[int, Meta(ge=1)]

    def __str__(self) -> str:
        """As people write it: 3/20."""
        return f"{self.index}/{self.count}"

    @property
    def folder_name(self) -> str:
        """3-of-20, sorted as numbers are."""
        return f"{self.index:0{len(str(self.count))}d}-of-{self.count}"


def parse_shard(text: str) -> Shard:
    """The shard that `3/20` names. Raises ConfigInvalid, with what is wrong, for anything else."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ConfigInvalid(f"{text!r} names no shard: write 3/20 for the third of twenty.")
    index, count = int(written[1]), int(written[2])
    if not 1 <= count <= MOST_SHARDS:
        raise ConfigInvalid(f"There cannot be {count} shards; choose 1 to {MOST_SHARDS}.")
    if not 1 <= index <= count:
        raise ConfigInvalid(f"There is no shard {index} of {count}: shards count from 1 to {count}.")
    return Shard(index, count)


def shard_in_name(name: str) -> Shard | None:
    """The shard whose folder has this name, if it is one's."""
    written = _IN_A_NAME.fullmatch(name)
    if written is None or not 1 <= int(written[1]) <= int(written[2]):
        return None
    return Shard(int(written[1]), int(written[2]))


def shard_of(file: str, count: int) -> Shard:
    """The shard, of `count`, of the recording that stands as `file` in the results.

    The first 8 bytes of the BLAKE2b hash (of that digest size) of its UTF-8 text, as a big-endian number, modulo
    `count`, counted from 1.
    """
    digest = hashlib.blake2b(file.encode("utf-8"), digest_size=_DIGEST_BYTES).digest()
    return Shard(1 + int.from_bytes(digest, "big") % count, count)


def share_of(recordings: Iterable[Path], shard: Shard | None) -> tuple[Path, ...]:
    """Those of `recordings` that are the shard's, in their order; all of them without a shard."""
    if shard is None:
        return tuple(recordings)
    return tuple(path for path in recordings if shard_of(path_to_wire(path), shard.count) == shard)
