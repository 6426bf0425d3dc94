"""Sides that do the same work, each as a process of its own, in turn, several times.

Belongs here: running sides, their peak memory, and whether the machine was theirs alone.
Does not belong here: what the sides do (a module of theirs each), what is made of the figures (the benchmarks).

A side is a module that ends by `telling.tell(seconds, answer)`: the seconds of the work without start and imports
of the interpreter, and whatever the benchmark needs to hold the sides' answers against each other.
"""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.machine import BUSY_SHARE, Busy, busy_seconds, require_quiet
from bench.results import median, rounded

ROOT = Path(__file__).parents[1]
LOOKS_PER_SECOND = 20
ERROR_CHARACTERS = 3000


@dataclass(frozen=True)
class Side:
    """One way to do the work.

    Args:
        name: of what does it.
        module: what is run, with `python -m`.
        arguments: of the command.
        environment: the folder of the interpreter's environment; this process's own when not given.
        variables: of the process's environment.
    """

    name: str
    module: str
    arguments: Sequence[str] = ()
    environment: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def command(self) -> list[str]:
        """What is run."""
        python = ROOT / self.environment / "bin" / "python" if self.environment else sys.executable
        return [str(python), "-m", self.module, *self.arguments]


@dataclass(frozen=True)
class Run:
    """What one run of a side came to; `foreign` is the share of the machine that others used meanwhile."""

    seconds: float
    rss_mb: float
    answer: Mapping[str, Any]
    foreign: float


class SideFailed(Exception):
    """A side ended with an error; its last words follow."""


def run_in_turn(sides: Sequence[Side], runs: int) -> dict[str, list[Run]]:
    """Each side so many times, in turn, so that the machine's mood meets all alike; by name.

    Raises:
        Busy: others used the machine before a run, or during one and during its repetition.
        SideFailed: one ended with an error.
    """
    done: dict[str, list[Run]] = {side.name: [] for side in sides}
    for _ in range(runs):
        for side in sides:
            done[side.name].append(run_alone(side))
    return done


def run_alone(side: Side) -> Run:
    """One run on a quiet machine; one that others disturbed is done again, once.

    Raises:
        Busy: it was disturbed again.
        SideFailed: it ended with an error.
    """
    require_quiet()
    first = run_side(side)
    again = run_side(side) if _disturbed(first) else first
    if _disturbed(again) and not os.environ.get("BENCH_ON_A_BUSY_MACHINE"):
        raise Busy(f"others used {again.foreign:.0%} of the machine while {side.name} ran")
    return again


def _disturbed(run: Run) -> bool:
    return run.foreign > BUSY_SHARE


def run_side(side: Side) -> Run:
    """One run, whatever else the machine does.

    Raises:
        SideFailed: it ended with an error.
    """
    started, busy, own = time.monotonic(), busy_seconds(), _own_seconds()
    process = psutil.Popen(
        side.command,
        cwd=ROOT,
        env=os.environ | side.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watch = Watch(process)
    printed, errors = process.communicate()
    rss_mb = watch.end()
    if process.returncode or not printed:
        raise SideFailed(f"{side.name}, status {process.returncode}: {errors[-ERROR_CHARACTERS:]}")
    told = json.loads(printed.splitlines()[-1])
    wall = (time.monotonic() - started) * (os.cpu_count() or 1)
    foreign = max(0.0, busy_seconds() - busy - (_own_seconds() - own)) / wall
    return Run(told["seconds"], rss_mb, told["answer"], round(foreign, 3))


class Watch:
    """The resident memory of a process and its children, looked at while it runs; its peak in MB."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._peak, self._ended = process, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """Stop looking."""
        self._ended.set()
        self._thread.join()
        return round(self._peak)

    def _look(self) -> None:
        while not self._ended.wait(1 / LOOKS_PER_SECOND):
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self._peak = max(self._peak, sum(one.memory_info().rss for one in family) / 1e6)
            except psutil.NoSuchProcess:
                continue


def _own_seconds() -> float:
    """Processor seconds of this process, of its children that ended, and of those that serve it."""
    ended = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    serving = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            serving += sum(child.cpu_times())
        except psutil.NoSuchProcess:
            continue
    return ended + serving


def medians(runs: Mapping[str, Sequence[Run]]) -> dict[str, float]:
    """Median seconds by side."""
    return {name: median(run.seconds for run in own) for name, own in runs.items()}


def peaks(runs: Mapping[str, Sequence[Run]]) -> dict[str, float]:
    """Median of the peak memory by side, in MB."""
    return {name: median(run.rss_mb for run in own) for name, own in runs.items()}


def spreads(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[float]]:
    """Lowest and highest seconds by side."""
    return {
        name: [rounded(min(run.seconds for run in own)), rounded(max(run.seconds for run in own))]
        for name, own in runs.items()
    }
