"""A response of the v2 protocol over loopback, to Parquet: this project and azure-kusto-data.

Sides are modules of this package, and no side should load more than it uses: hence nothing is imported here.
"""

from pathlib import Path

from bench.results import Benchmark
from bench.scale import Scale


def run(scale: Scale, work: Path) -> list[Benchmark]:
    """Benchmark `decode_vs_azure_kusto_dataframe`."""
    from bench.decode.benchmark import decode

    return decode(scale, work)
