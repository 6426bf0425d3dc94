"""What the service was asked and what it answered.

Belongs here: one entry per request, for tests to look at. Never tokens.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock

from sft_pipeline_tests.stand_in.literals import Value
from sft_pipeline_tests.stand_in.request import Asked


@dataclass
class Entry:
    """One request.

    Args:
        asked: what it asked.
        status: the HTTP status that went out; None while it is answered, and when the connection was reset.
        fault: what was injected.
        code: the service's name for the failure, when there was one.
    """

    asked: Asked
    status: int | None = None
    fault: str | None = None
    code: str | None = None

    @property
    def parameters(self) -> Mapping[str, Value]:
        """The values of the query's parameters."""
        return self.asked.parameters


@dataclass
class Journal:
    """All requests, in order of arrival."""

    entries: list[Entry] = field(default_factory=list[Entry])
    _lock: Lock = field(default_factory=Lock, repr=False)

    def begin(self, asked: Asked, fault: str | None) -> Entry:
        """Note a request."""
        entry = Entry(asked, fault=fault)
        with self._lock:
            self.entries.append(entry)
        return entry

    def of(self, where: Callable[[Asked], bool]) -> list[Entry]:
        """The entries of some requests."""
        with self._lock:
            return [entry for entry in self.entries if where(entry.asked)]

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(list(self.entries))

    def __len__(self) -> int:
        return len(self.entries)
