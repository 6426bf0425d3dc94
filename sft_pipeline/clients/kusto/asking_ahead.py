"""Jobs that wait on a service, run ahead in threads while their results are worked on.

Belongs here: order, look-ahead and how far it is. Does not belong here: what the jobs ask (chunk_queries).
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic
from types import TracebackType
from typing import Generic, TypeVar

from sft_pipeline.clients.kusto.slots import Slots

SECONDS_TO_END = 2.0
"""So long an interrupted job may take to end: a thread that ends inside an engine's code would take the process along.
One that waits for a service's answer does no harm, and is left behind."""

T = TypeVar("T")
Job = Callable[[], tuple[int, int, T]]
"""Gives rows, bytes and the result."""


@dataclass(frozen=True)
class Progress:
    """How far the queries are."""

    slots: Slots
    queries: Callable[[], tuple[int, int, int, int]]

    def told(self) -> str:
        """For people: running and waiting queries, rows and megabytes so far, and whether the service throttles."""
        running, waiting, rows, size = self.queries()
        throttled = f" (throttled to {self.slots.limit})" if self.slots.limit < self.slots.most else ""
        return f"{running} running{throttled}, {waiting} waiting, {rows:,} rows, {size / 1e6:,.0f} MB"


class AskingAhead(Generic[T]):
    """Runs jobs in order, as many at a time as there are slots, and begins none while that many results wait.

    Leaving the context interrupts what still runs.

    Args:
        jobs: what to run.
        slots: how many run at a time at most.
        interrupt: asks running jobs to end early.
    """

    def __init__(self, jobs: Sequence[Job[T]], slots: Slots, interrupt: Callable[[], None]) -> None:
        self.progress = Progress(slots, self._state)
        self._jobs = jobs
        self._slots = slots
        self._waiting = deque(range(len(jobs)))
        self._running = 0
        self._ready = deque[int]()
        self._results: dict[int, T | BaseException] = {}
        self._sums = [0, 0]
        self._stopped = False
        self._interrupt = interrupt
        self._threads: list[Thread] = []
        self._changed = Condition()

    def __enter__(self) -> "AskingAhead[T]":
        for number in range(min(self._slots.most, len(self._jobs))):
            self._threads.append(Thread(target=self._work, name=f"query-{number}", daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
        patience = monotonic() + SECONDS_TO_END
        while any(thread.is_alive() for thread in self._threads) and monotonic() < patience:
            self._interrupt()  # again and again: between two steps of a query there is nothing to interrupt
            self._threads[0].join(0.05)
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    def as_ready(self) -> Iterator[int]:
        """The numbers of the jobs, each when its result is there."""
        for _ in range(len(self._jobs)):
            with self._changed:
                self._changed.wait_for(lambda: bool(self._ready))
                number = self._ready.popleft()
                self._changed.notify_all()
            yield number

    def result(self, number: int) -> T:
        """What a job gave; what it raised is raised here."""
        with self._changed:
            self._changed.wait_for(lambda: number in self._results)
            result = self._results.pop(number)
        if isinstance(result, BaseException):
            raise result
        return result

    def _work(self) -> None:
        while (number := self._next()) is not None:
            try:
                rows, size, result = self._jobs[number]()
            except BaseException as error:
                self._done(number, error, 0, 0)
            else:
                self._done(number, result, rows, size)

    def _next(self) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._ready) < self._slots.most)
            if self._stopped or not self._waiting:
                return None
            self._running += 1
            return self._waiting.popleft()

    def _done(self, number: int, result: T | BaseException, rows: int, size: int) -> None:
        with self._changed:
            self._running -= 1
            self._results[number] = result
            self._ready.append(number)
            self._sums = [self._sums[0] + rows, self._sums[1] + size]
            self._changed.notify_all()

    def _state(self) -> tuple[int, int, int, int]:
        running = min(self._running, self._slots.running)  # the others pause, or wait for a slot
        return running, len(self._waiting) + self._running - running, self._sums[0], self._sums[1]
