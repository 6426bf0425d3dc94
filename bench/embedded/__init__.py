"""The production query on the embedded store, a chunk at a time, and on the raw events that nobody staged.

Sides are modules of this package, and no side should load more than it uses: hence nothing is imported here.
"""

from pathlib import Path

from bench.results import Benchmark
from bench.scale import Scale


def run(scale: Scale, work: Path) -> list[Benchmark]:
    """Benchmark `embedded_chunk_seconds`."""
    from bench.embedded.benchmark import embedded

    return embedded(scale, work)
