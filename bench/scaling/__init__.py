"""Windows that grow: what each step of the walk from telemetry to the sample release takes."""

from pathlib import Path

from bench.results import Benchmark
from bench.scale import Scale


def run(scale: Scale, work: Path) -> list[Benchmark]:
    """Benchmark `scaling`."""
    from bench.scaling.benchmark import scaling

    return scaling(scale, work)
