"""What machine this is, and whether it is free to measure on.

Belongs here: facts about the machine, and the refusal to record on a busy one. Linux alone tells what is needed.
"""

import os
import platform
import re
import time
from pathlib import Path

import psutil

BUSY_SHARE = 0.15
"""Of the machine's processor time, used by others: above it nothing is measured, and nothing measured is recorded."""

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 120.0


class Busy(Exception):
    """Something else uses the machine: figures taken now would tell of that."""


def machine() -> dict[str, str | int | float]:
    """Processor, cores, memory, disk and interpreter."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def require_quiet() -> None:
    """Wait for others to end.

    Raises:
        Busy: they do not, for two minutes.
    """
    given_up = time.monotonic() + PATIENCE_SECONDS
    while (share := psutil.cpu_percent(interval=LOOK_SECONDS) / 100) > BUSY_SHARE:
        if time.monotonic() > given_up:
            raise Busy(f"{share:.0%} of the processors are in use before the measurement begins")


def busy_seconds() -> float:
    """Processor seconds that all processes of the machine have used, and those that its host took away."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
