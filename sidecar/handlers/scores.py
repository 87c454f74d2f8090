"""scores/*: tables of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.scores import CloseParams, LoadParams, ScoreTable

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def load(params: LoadParams, call: Call, services: Services) -> ScoreTable:
    """scores/load. `services.scores` is the process's one sidecar.scores.session.ScoreSession."""
    return services.scores.load(params, call.token)


def close(params: CloseParams, call: Call, services: Services) -> None:
    """scores/close."""
    services.scores.close(params.scores_id)
