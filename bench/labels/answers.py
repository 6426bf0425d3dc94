"""What a side found, to be held against the others, and what it took. Only the standard library: peers import it."""

import time
from collections.abc import Iterable
from hashlib import sha256

from bench.telling import tell


class Clock:
    """Runs from its making; the service's work and waiting for it are not in the processor's time."""

    def __init__(self) -> None:
        self._processor, self._wall = time.process_time(), time.perf_counter()

    def told(self) -> tuple[float, float]:
        """Seconds of this process on all processors, user and system, and seconds on the wall's clock."""
        return time.process_time() - self._processor, time.perf_counter() - self._wall


def tell_labels(clock: tuple[float, float], labels: Iterable[tuple[str, int | None]], **more: float) -> None:
    """End a side.

    Args:
        clock: as `Clock.told` gave it.
        labels: requestId and label, each request once.
        more: to be told beside.
    """
    lines = sorted(f"{request} {label}" for request, label in labels)
    digest = sha256("\n".join(lines).encode()).hexdigest()
    tell(clock[0], {"wall": clock[1], "labels": len(lines), "sha256": digest, **more})
