"""When a job's worker dies: which recordings that puts under suspicion, and whether to start another worker.

What lives here: entering crashes in the job's ledger, and the patience. What must not: processes (worker.py), or what
becomes of suspects (survey/crashes.py tells, ml_runtime acts on it).
"""

from __future__ import annotations

from survey.crashes import got_through, in_hand
from survey.job_folder import JobFolder
from survey.ledger import AnyEvent, Crashed, Ending, Ledger, moment

_WHILE_LOADING = 1
_AT_FIRST = 3
_LATER = 20
"""How many times in a row a worker may be replaced without any progress: one that does not get as far as a recording,
one that has not scored any yet (a recording has failed after two or three crashes), and one that is known to work."""


class CrashWatch:
    """Watches one run of the job in `folder`, whose lock is held."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._ledger = Ledger(folder.ledger_path)
        self._began = moment(folder.read_record().started_at)
        self._reached = self._how_far(self._ledger.read())
        self._in_vain = 0
        self._patience = _WHILE_LOADING

    @property
    def has_patience(self) -> bool:
        """Whether another worker may do better than those that died."""
        return self._in_vain <= self._patience

    def enter(self, ending: Ending) -> None:
        """Enter that the worker is dead, and how it ended.

        Raises
        ------
        DiskFull, PermissionRefused, RequestFailed
            The ledger cannot be read or written.
        """
        events = self._ledger.read()
        held = in_hand(events, self._began)
        self._ledger.append(*(Crashed(recording=recording, by=ending) for recording in held))
        reached = self._how_far(events)
        self._in_vain = 1 if reached != self._reached else self._in_vain + 1
        self._reached = reached
        self._patience = _LATER if reached[0] else _AT_FIRST if held else _WHILE_LOADING

    def _how_far(self, events: list[AnyEvent]) -> tuple[int, int]:
        """Recordings that came out of the model in this run, and closed parts."""
        parts = sum(1 for _ in self._folder.scores_path.glob("part-*.parquet"))
        return got_through(events, self._began), parts
