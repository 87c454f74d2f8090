"""scores/*: tables of scores, and questions about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rpc.call import Progress
from schemas.scores import (
    CloseParams,
    Exported,
    ExportParams,
    Histogram,
    HistogramParams,
    LoadParams,
    Page,
    PageParams,
    ScoreTable,
    Summary,
    SummaryParams,
)
from sidecar.audio.warm import prepare_in_background
from sidecar.scores.export import export_table
from sidecar.scores.histogram import histogram_of
from sidecar.scores.page import page_of
from sidecar.scores.summary import summary_of

if TYPE_CHECKING:
    from rpc.call import Call
    from sidecar.app import Services


def load(params: LoadParams, call: Call, services: Services) -> ScoreTable:
    """scores/load. `services.scores` is the process's one sidecar.scores.session.ScoreSession."""

    def report(done: int, total: int) -> None:
        call.report(Progress(done=done, total=total, percentage=100 * done / max(total, 1), unit="bytes"))

    call.begin(Progress(title="Loading scores", unit="bytes"))
    table = services.scores.load(params, call.token, report)
    prepare_in_background()
    return table


def page(params: PageParams, call: Call, services: Services) -> Page:
    """scores/page."""
    return page_of(services.scores.get(params.scores_id), params, call.token)


def histogram(params: HistogramParams, call: Call, services: Services) -> Histogram:
    """scores/histogram."""
    return histogram_of(services.scores.get(params.scores_id), params, call.token)


def summary(params: SummaryParams, call: Call, services: Services) -> Summary:
    """scores/summary."""
    return summary_of(services.scores.get(params.scores_id), params, call.token)


def export(params: ExportParams, call: Call, services: Services) -> Exported:
    """scores/export."""
    return export_table(services.scores.get(params.scores_id), params, call.token)


def close(params: CloseParams, call: Call, services: Services) -> None:
    """scores/close."""
    services.scores.close(params.scores_id)
