"""What the service allows: rows and bytes of a result, time, queries at a time.

Belongs here: the numbers, their defaults those of Azure Data Explorer, and the queue for the slots.
Does not belong here: what the client is told when a limit is met (failures).
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition
from time import monotonic
from typing import Any

from sft_pipeline_tests.stand_in.failures import Failure, throttled
from sft_pipeline_tests.stand_in.literals import Value
from sft_pipeline_tests.stand_in.request import Asked

Seconds = float | Callable[[Mapping[str, Value]], float]
"""How long a query takes: the same for all, or by its parameters."""


@dataclass(frozen=True)
class Limits:
    """The numbers of a service.

    Args:
        rows: of a result, unless the request lifts it.
        megabytes: of a result (2^20 bytes of JSON), unless the request lifts it.
        hard: whether `notruncation` and its like are passed over, as Log Analytics does.
        longest_seconds: that any query may take, whatever `servertimeout` says.
        slots: queries that run at a time.
        queue_seconds: real seconds that a query waits for a slot.
        retry_after: told to the client with 429.
        seconds: that a query takes by the service's clock.
        scale: real seconds per second of the service's clock.
    """

    rows: int = 500_000
    megabytes: float = 64
    hard: bool = False
    longest_seconds: float = 3600
    slots: int = 5
    queue_seconds: float = 180
    retry_after: float | None = 1
    seconds: Seconds = 0
    scale: float = 1

    def seconds_of(self, asked: Asked) -> float:
        """How long a query takes by the service's clock."""
        return self.seconds if isinstance(self.seconds, int | float) else self.seconds(asked.parameters)

    def seconds_allowed(self, asked: Asked) -> float:
        """How long it may."""
        return min(asked.seconds, self.longest_seconds)

    def rows_allowed(self, asked: Asked) -> float:
        """How many rows its result may have."""
        return self._allowed(asked.options, "truncationmaxrecords", self.rows)

    def bytes_allowed(self, asked: Asked) -> float:
        """How many bytes its result may have."""
        return self._allowed(asked.options, "truncationmaxsize", self.megabytes * 2**20)

    def _allowed(self, options: Mapping[str, Any], option: str, limit: float) -> float:
        if self.hard:
            return limit
        return float("inf") if options.get("notruncation") else float(options.get(option) or limit)


class Slots:
    """Queries run in slots; who finds none waits, and is sent away after a while.

    Args:
        slots: how many.
        queue_seconds: how long to wait.
        retry_after: told to who is sent away.
    """

    def __init__(self, slots: int, queue_seconds: float, retry_after: float | None) -> None:
        self._slots = slots
        self._queue_seconds = queue_seconds
        self._retry_after = retry_after
        self._changed = Condition()
        self._running = 0
        self.highest = 0
        """The most queries that ever ran at a time."""
        self.highest_waiting = 0
        """The most queries that ever waited at a time."""
        self._waiting = 0

    @contextmanager
    def turn(self) -> Generator[None, None, None]:
        """Run in a slot.

        Raises:
            Failure: there was none in time.
        """
        self._enter()
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify()

    def wait_in_vain(self) -> Failure:
        """Wait as long as the queue lets one wait, as if no slot had become free."""
        with self._changed:
            self._changed.wait_for(lambda: False, timeout=self._queue_seconds)
        return throttled(None)

    def _enter(self) -> None:
        until = monotonic() + self._queue_seconds
        with self._changed:
            self._waiting += 1
            free = self._running < self._slots
            self.highest_waiting = max(self.highest_waiting, self._waiting - free)
            entered = self._changed.wait_for(lambda: self._running < self._slots, timeout=until - monotonic())
            self._waiting -= 1
            if not entered:
                raise throttled(self._retry_after)
            self._running += 1
            self.highest = max(self.highest, self._running)
