"""Who reads and who runs: nobody is kept waiting by a task that takes long."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from rpc.crew import Crew

PATIENCE_SECONDS = 10.0
Tasks = list[tuple[Callable[[], None], bool]]


class Source:
    """Chunks of tasks instead of bytes, and a clock as the main thread is one."""

    def __init__(self, size: int) -> None:
        self.chunks: queue.SimpleQueue[Tasks | None] = queue.SimpleQueue()
        self.flushes = 0
        self.crew: Crew[Callable[[], None]] = Crew(size, self.read, lambda task: task(), self.flush, lambda: None)
        self.ended = threading.Event()
        self._stop = threading.Event()
        self._clock = threading.Thread(target=self.tick)

    def read(self) -> bool:
        chunk = self.chunks.get()
        if chunk is None:
            self.ended.set()
            return False
        self.crew.submit([task for task, quick in chunk if not quick], [task for task, quick in chunk if quick])
        return True

    def flush(self) -> None:
        self.flushes += 1

    def tick(self) -> None:
        while not self._stop.wait(0.002):
            self.crew.look(time.monotonic())

    def __enter__(self) -> Source:
        self.crew.start()
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.chunks.put(None)
        assert self.ended.wait(PATIENCE_SECONDS)
        self.stop_clock()

    def stop_clock(self) -> None:
        self._stop.set()
        self._clock.join()


@pytest.fixture
def source() -> Iterator[Source]:
    with Source(size=3) as source:
        yield source


def blocker() -> tuple[Callable[[], None], threading.Event, threading.Event]:
    """A task that runs until it is let go."""
    begun, let_go = threading.Event(), threading.Event()

    def task() -> None:
        begun.set()
        let_go.wait(PATIENCE_SECONDS)

    return task, begun, let_go


def test_quick_tasks_stay_on_one_thread(source):
    threads: set[str] = set()
    done = threading.Event()
    tasks: Tasks = [(lambda: threads.add(threading.current_thread().name), False) for _ in range(200)]

    source.chunks.put([*tasks, (done.set, False)])

    assert done.wait(PATIENCE_SECONDS)
    assert len(threads) <= 2  # a second one only where the machine took its time


def test_somebody_reads_while_all_run(source):
    blockers = [blocker() for _ in range(3)]
    source.chunks.put([(task, False) for task, _, _ in blockers])
    assert all(begun.wait(PATIENCE_SECONDS) for _, begun, _ in blockers)
    waits, quick = threading.Event(), threading.Event()

    source.chunks.put([(waits.set, False)])
    source.chunks.put([(quick.set, True)])

    assert quick.wait(PATIENCE_SECONDS)
    assert not waits.is_set()  # no more than three run
    blockers[0][2].set()
    assert waits.wait(PATIENCE_SECONDS)
    for _, _, let_go in blockers:
        let_go.set()


def test_one_that_is_stuck_does_not_slow_the_others_down(source):
    task, begun, let_go = blocker()
    source.chunks.put([(task, False)])
    assert begun.wait(PATIENCE_SECONDS)
    first = threading.Event()
    source.chunks.put([(first.set, False)])  # somebody else reads by now
    assert first.wait(PATIENCE_SECONDS)
    source.stop_clock()

    for _ in range(50):
        done = threading.Event()
        source.chunks.put([(done.set, False)])
        assert done.wait(PATIENCE_SECONDS)  # without any help

    let_go.set()


def test_at_most_so_many_run(source):
    lock, running, most, done = threading.Lock(), [0], [0], threading.Semaphore(0)

    def task() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.005)
        with lock:
            running[0] -= 1
        done.release()

    for _ in range(10):
        source.chunks.put([(task, False)] * 10)

    assert all(done.acquire(timeout=PATIENCE_SECONDS) for _ in range(100))
    assert most[0] == 3


def test_every_task_runs_once_in_whatever_mixture(source):
    ran: list[int] = []

    def task(number: int) -> Callable[[], None]:
        def run() -> None:
            if number % 17 == 0:
                time.sleep(0.012)
            ran.append(number)

        return run

    for start in range(0, 500, 50):
        source.chunks.put([(task(number), number % 5 == 0) for number in range(start, start + 50)])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(ran) < 500 and time.monotonic() < deadline:
        time.sleep(0.01)

    assert sorted(ran) == list(range(500))


def test_output_leaves_before_anybody_waits(source):
    done = threading.Event()
    source.chunks.put([(done.set, False)])
    assert done.wait(PATIENCE_SECONDS)
    before = source.flushes

    source.chunks.put([])
    source.chunks.put([])

    deadline = time.monotonic() + PATIENCE_SECONDS
    while source.flushes < before + 1 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert source.flushes > before


class _Emptied(deque[Callable[[], None]]):
    """Tasks of which the last is taken, without the lock, while somebody with the lock looks whether there are any."""

    def __bool__(self) -> bool:
        return True


def test_a_task_that_another_thread_took_meanwhile_is_no_task() -> None:
    with Source(2) as source:
        source.crew._tasks = _Emptied()
        source.chunks.put([])
        ran = threading.Event()
        source.chunks.put([(ran.set, False)])
        done = ran.wait(PATIENCE_SECONDS)

    assert done
