"""Chunks from a service that takes two seconds for each: one query at a time, and five."""

from pathlib import Path

from bench.results import Benchmark
from bench.scale import Scale


def run(scale: Scale, work: Path) -> list[Benchmark]:
    """Benchmark `kusto_slots`."""
    from bench.slots.benchmark import slots

    return [slots(scale, work)]
