"""How many queries run at a time: fewer when the service throttles, more again while it answers.

Belongs here: counting and waiting for a turn. Does not belong here: how long a throttled query waits (retries).
"""

from collections.abc import Generator
from contextlib import contextmanager
from threading import Condition

ANSWERS_PER_SLOT = 2
"""So many answers per slot in a row win one slot back: additive increase, multiplicative decrease (RFC 5681)."""


class Slots:
    """Turns for queries, shared by all threads that use one client.

    Args:
        most: how many queries may run at a time while the service does not complain; a Log Analytics user has 5.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self.running = 0
        self._answers = 0
        self._changed = Condition()

    @contextmanager
    def taken(self) -> Generator[None]:
        """Wait for a turn and hold it."""
        with self._changed:
            self._changed.wait_for(lambda: self.running < self.limit)
            self.running += 1
        try:
            yield
        finally:
            with self._changed:
                self.running -= 1
                self._changed.notify_all()

    def throttled(self) -> None:
        """The service asked for fewer: halve."""
        with self._changed:
            self.limit = max(1, self.limit // 2)
            self._answers = 0

    def answered(self) -> None:
        """A query was answered: after enough of them in a row, one more at a time."""
        with self._changed:
            self._answers += 1
            if self._answers >= ANSWERS_PER_SLOT * self.limit and self.limit < self.most:
                self.limit += 1
                self._answers = 0
                self._changed.notify_all()
