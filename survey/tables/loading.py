"""A table being loaded: whether somebody still waits for it, and how far it is.

What lives here: stages of the work, and DuckDB's own idea of how far a query is, as bytes of the files read. What must
not: reading.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import duckdb

from rpc.cancel import CancelToken

OnLoading = Callable[[int, int], None]
"""How many bytes of how many are done."""

_EVERY_SECONDS = 0.1


def ignore_loading(_done: int, _total: int) -> None:
    """For callers that do not want to know."""


class Loading:
    """One loading. Readers announce their stages; `token` goes up when nobody waits any more."""

    def __init__(self, token: CancelToken, total: int = 0, report: OnLoading = ignore_loading) -> None:
        self.token = token
        self._total = total
        self._report = report
        self._before = 0.0
        self._share = 0.0
        self._told = -1

    def stage(self, share: float) -> None:
        """What comes now is this share of the whole work.

        Raises
        ------
        RequestCancelled
            When the token is up.
        """
        self.token.raise_if_cancelled()
        self._before = min(1.0, self._before + self._share)
        self._share = share
        self.tell(0.0)

    @contextlib.contextmanager
    def watched(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Tell how far the queries on `connection` are, and end them when the token goes up."""
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(connection, ended), name="loading", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _watch(self, connection: duckdb.DuckDBPyConnection, ended: threading.Event) -> None:
        while not ended.wait(_EVERY_SECONDS):
            with contextlib.suppress(duckdb.Error):
                if self.token.cancelled:  # again and again: what ends one query does not end the next
                    connection.interrupt()
                self.tell(max(0.0, connection.query_progress()) / 100)

    def tell(self, share: float) -> None:
        """So much of the stage is done."""
        done = int(min(1.0, self._before + self._share * share) * self._total)
        if done > self._told:
            self._told = done
            self._report(done, self._total)
