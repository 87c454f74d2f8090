"""What the demo shows: steps, a live bar, a table."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from rpc.call import Progress

_BAR = 28


def say(sentence: str) -> None:
    """One line."""
    print(sentence, flush=True)


class Bar:
    """A progress bar on one line where there is a terminal, and a line now and then where there is none."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown: str | None = None
        self._live = sys.stdout.isatty()

    def __call__(self, progress: Progress) -> None:
        """Show one progress value."""
        if progress.kind == "end":
            self._close()
            return
        if progress.kind == "begin" and progress.message is None:
            return
        line = f"  {self._label}  {_drawn(progress)}{_figures(progress)}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + line[:width].ljust(width), end="", flush=True)
            self._shown = line
        elif self._is_news(progress):
            say(line)

    def _is_news(self, progress: Progress) -> bool:
        """Without a terminal: a new sentence, or another tenth of the way."""
        share = _share(progress)
        news = progress.message or progress.title or "" if share is None else str(int(share * 10))
        changed = news != self._shown
        self._shown = news
        return changed

    def _close(self) -> None:
        if self._live and self._shown is not None:
            print(flush=True)
            self._shown = None


def _share(progress: Progress) -> float | None:
    if progress.done is not None and progress.total:
        return min(1.0, progress.done / progress.total)
    return None if progress.percentage is None else progress.percentage / 100


def _drawn(progress: Progress) -> str:
    share = _share(progress)
    if share is None:
        return ""
    filled = round(share * _BAR)
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {100 * share:3.0f} %  "


def _figures(progress: Progress) -> str:
    parts = [progress.message or progress.title or ""]
    if progress.done is not None and progress.total:
        parts.append(_amount(progress.done, progress.total, progress.unit or ""))
    if progress.clips_per_second is not None:
        parts.append(f"{progress.clips_per_second:.1f} clips/s")
    if progress.realtime_factor is not None:
        parts.append(f"{progress.realtime_factor:.0f} x real time")
    if progress.eta_seconds is not None:
        parts.append(f"{progress.eta_seconds:.0f} s left")
    return "  ".join(part for part in parts if part)


def _amount(done: float, total: float, unit: str) -> str:
    if unit == "bytes":
        return f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
    return f"{done:.0f} of {total:.0f} {unit}".rstrip()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        say("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
