"""The threads of a server: whoever reads also runs what it read, until that takes long.

What lives here: which thread reads, which runs, and when another one has to help. What must not: bytes, messages,
handlers.

Handing each request from a reader thread to a pool thread costs more than most requests do. So one thread reads a
chunk and runs the tasks that came with it, then reads on. While it runs them nobody reads; a clock (`look`, called
by the main thread every 8 ms while there is work) notices when a task takes more than 8 ms and sends another
thread to read, and others to run what waits. So a quick task never costs a switch, and a slow one that nobody
expected delays others by 8 to 16 ms. Where tasks of late took more than 1 ms, help is called at once. Where many quick
ones keep one thread busy, another one reads a chunk every 50 ms, for cancels may be in it.

At most `size` tasks run at a time, and somebody reads even then. Quick tasks (methods that promise to be)
do not count and wait for nobody.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

PATIENCE_SECONDS = 0.008
_QUICK_SECONDS = 0.001
_PACE_WEIGHT = 0.2
_PACE_LIMIT_SECONDS = 0.02
_UNREAD_SECONDS = 0.05
_WATCHFUL_SECONDS = 0.05
_FLUSH_EVERY = 32

Task = TypeVar("Task")
_Turn = tuple[Task, bool, float]
"""A task, whether it counts, and when it was taken. None in its place is a turn at reading."""


class Crew(Generic[Task]):
    """Threads that take turns at reading.

    `read` reads a chunk, or takes on what is left of it, and calls `submit` for what came with it; it returns False
    at the end of the input; it flushes before it waits. `run` does one task.
    `flush` lets output leave; it is called before a thread waits. `wake` makes the clock call `look`. None of them,
    nor a task, may raise.
    """

    def __init__(
        self,
        size: int,
        read: Callable[[], bool],
        run: Callable[[Task], None],
        flush: Callable[[], None],
        wake: Callable[[], None],
    ) -> None:
        self._size = size
        self._read = read
        self._run = run
        self._flush = flush
        self._wake = wake
        self._lock = threading.Lock()
        self._parking = threading.Condition(self._lock)
        self._tasks: deque[Task] = deque()
        self._quick: deque[Task] = deque()
        self._threads = self._parked = self._called = self._running = 0
        self._reading = True  # `start` sends a thread to do so
        self._ended = False
        self._moved = self._left = 0.0  # when a task was taken; when the reader's place was left
        self._mover: int | None = None  # the thread that took a counted task last, while it runs it
        self._busy = 0.0  # when the clock last saw something waiting
        self._pace = 0.0  # how long tasks take of late
        self._watched = False

    def start(self) -> None:
        """Send the first thread to read."""
        with self._lock:
            self._reading = False
            self._call(1)

    def submit(self, tasks: Iterable[Task], quick: Iterable[Task]) -> None:
        """Run `tasks`, and `quick` ones, soon. Only from within `read`."""
        self._tasks.extend(tasks)
        self._quick.extend(quick)

    @property
    def has_work(self) -> bool:
        """Whether a task waits that might be run. For `read`, which better returns then."""
        return bool(self._quick) or (bool(self._tasks) and self._running < self._size)

    def look(self, now: float) -> float | None:
        """Send help where nothing has moved for too long. The seconds after which to look again, or None."""
        with self._lock:
            unread = not self._reading and not self._ended
            waiting = bool(self._quick) or (bool(self._tasks) and self._running < self._size)
            if unread or waiting:
                self._busy = now
            stuck = now - self._moved > PATIENCE_SECONDS
            helpers = unread + waiting if stuck else int(unread and now - self._left > _UNREAD_SECONDS)
            self._watched = now - max(self._busy, self._moved) < _WATCHFUL_SECONDS
            self._call(helpers)
        if stuck:
            self._flush()
        return PATIENCE_SECONDS if self._watched else None

    def _call(self, helpers: int) -> None:
        """Wake parked threads, or start new ones. Called with the lock held."""
        self._called = max(self._called, helpers)
        ready = min(helpers, self._parked)
        self._parking.notify(ready)
        for _ in range(min(helpers - ready, self._size + 2 - self._threads)):
            self._threads += 1
            threading.Thread(target=self._work, name=f"crew-{self._threads}", daemon=True).start()

    # A thread

    def _work(self) -> None:
        me = threading.get_ident()
        turn = self._help()
        while True:
            if turn is None:
                turn = self._after_reading(self._read())
                continue
            task, counted, taken = turn
            turn = None  # or what is over would be kept until the next one comes
            now, lasted = self._run_in_a_row(task, counted, taken, me)
            del task
            turn = self._after_task(counted, now, lasted, me)

    def _run_in_a_row(self, task: Task, counted: bool, taken: float, me: int) -> tuple[float, float]:
        """Run a task, and those behind it in its place as long as they are quick and nobody else moves.

        Nothing changes then but the task, so no lock is needed. Returns when the last one ended, and how long it took.
        """
        streak = 0
        while True:
            self._run(task)
            now = time.monotonic()
            lasted = now - taken
            if not counted or lasted >= _QUICK_SECONDS or self._mover != me or self._quick:
                return now, lasted
            try:
                task = self._tasks.popleft()
            except IndexError:
                return now, lasted
            self._pace += _PACE_WEIGHT * (lasted - self._pace)
            taken = self._moved = now
            streak += 1
            if streak % _FLUSH_EVERY == 0:
                self._flush()

    def _help(self) -> _Turn[Task] | None:
        """The first thing a thread that was called does: read where nobody reads, else run, else park."""
        with self._lock:
            while True:
                if self._called:
                    self._called -= 1
                    if not self._reading and not self._ended:
                        self._reading = True
                        return None
                    task = self._take()
                    if task is not None:
                        return task
                self._park()

    def _after_reading(self, more: bool) -> _Turn[Task] | None:
        """Run what was read, leaving the reading to whoever is called; read on where nothing may be run."""
        with self._lock:
            self._ended = not more
            others_move = not self._quick and self._pace < _QUICK_SECONDS and self._another_moves()
            task = None if others_move else self._take()
            if task is None and more and not others_move:
                return None
            self._reading = False
            self._left = time.monotonic()
            unwatched = not self._watched
        if unwatched:
            self._wake()
        return task or self._rest()

    def _after_task(self, counted: bool, now: float, lasted: float, me: int) -> _Turn[Task] | None:
        """Go on, unless the task was quick and somebody else took one since: one thread is faster than two then."""
        self._pace += _PACE_WEIGHT * (min(lasted, _PACE_LIMIT_SECONDS) - self._pace)
        with self._lock:
            self._running -= counted
            if self._mover == me:
                self._mover = None
            yields = lasted < _QUICK_SECONDS and self._another_moves()
            turn = None if yields else self._take(now, me)
            if turn is None and not yields and not self._reading and not self._ended:
                self._reading = True
                return None
        return turn or self._rest()

    def _rest(self) -> _Turn[Task] | None:
        """Nothing to do: let output leave, then wait to be called."""
        self._flush()
        return self._help()

    def _take(self, now: float | None = None, me: int | None = None) -> _Turn[Task] | None:
        """The next task that may run. Called with the lock held."""
        if self._quick:
            self._moved = now or time.monotonic()
            return self._quick.popleft(), False, self._moved
        if self._running < self._size:
            try:  # asking first would not do: the one who moves takes tasks without the lock
                task = self._tasks.popleft()
            except IndexError:
                return None
            self._moved = now or time.monotonic()
            self._mover = me or threading.get_ident()
            self._running += 1
            if self._tasks and self._pace > _QUICK_SECONDS and self._running < self._size:
                self._call(1)
            return task, True, self._moved
        return None

    def _another_moves(self) -> bool:
        """Whether the last task that was taken is another thread's, who runs it since but now. With the lock held."""
        return self._mover is not None and time.monotonic() - self._moved < PATIENCE_SECONDS

    def _park(self) -> None:
        self._parked += 1
        self._parking.wait()
        self._parked -= 1
