"""Requests to batch files and back to labels: this project, a pandas script, and curator.

Sides are modules of this package, and curator's process imports whatever stands here: hence nothing of the product.
"""

from pathlib import Path

from bench.results import Benchmark
from bench.scale import Scale


def run(scale: Scale, work: Path) -> list[Benchmark]:
    """Benchmark `label_plumbing`."""
    from bench.labels.benchmark import label_plumbing

    return label_plumbing(scale, work)
