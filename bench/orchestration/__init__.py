"""What Dagster costs: the whole DAG of plan `production`, its chunks with next to nothing in them, run in four ways.

Every side asks the same loopback service by the product's own client; answers are ready before anything is timed.
"""

from pathlib import Path

from bench.results import Benchmark
from bench.scale import Scale


def run(scale: Scale, work: Path) -> list[Benchmark]:
    """Benchmark `orchestration_tax`, and the same DAG on to the SFT release as `orchestration_with_labels`."""
    from bench.orchestration.benchmark import orchestration

    return orchestration(scale, work)
