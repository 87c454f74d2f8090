"""cache/*: what can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.audio import CacheCleared

if TYPE_CHECKING:
    from rpc.call import Call
    from rpc.methods import NoParams
    from sidecar.app import Services


def clear(_params: NoParams, _call: Call, services: Services) -> CacheCleared:
    """cache/clear."""
    return CacheCleared(freed_bytes=services.clip_cache.clear() + services.scores.clear_cache())
