"""How the sending of files goes on, for whoever wants to show it.

Belongs here: counting what was sent. Does not belong here: sending (release stores), showing it (terminal).
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic


@dataclass
class Transfers:
    """What a store sends at this moment: the file, its bytes so far, and since when; nothing between files."""

    file: str = ""
    sent: int = 0
    kept: int = 0
    started: float = field(default_factory=monotonic)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @contextmanager
    def of(self, file: str) -> Generator[None]:
        """The file is sent within the block."""
        self.file, self.sent, self.kept, self.started = file, 0, 0, monotonic()
        try:
            yield
        finally:
            self.file = ""

    def add(self, size: int, *, kept: bool = False) -> None:
        """So many bytes more are there; `kept` where an earlier run had sent them."""
        with self._lock:
            self.sent += 0 if kept else size
            self.kept += size if kept else 0

    def told(self) -> str:
        """The file, its megabytes and their rate, in a line; empty between files."""
        if not (file := self.file):
            return ""
        rate = self.sent / max(monotonic() - self.started, 0.001) / 1e6
        kept = f", {self.kept / 1e6:,.0f} MB were there" if self.kept else ""
        return f"{file}: {self.sent / 1e6:,.0f} MB sent, {rate:,.0f} MB/s{kept}"
