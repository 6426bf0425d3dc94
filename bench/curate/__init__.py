"""Chunk results to a released sample: this project against pandas, DuckDB, frameworks for text data, and the machine.

The work of every side, `python -m bench.curate.<side> CHUNKS OUT PLAN`: read the JSON lines of all chunks, drop
duplicates, parse the turns, hold every candidate against the rules, draw the exact sample of each cell, write a file
per cell with whole records, and metadata.json with size, MD5 and SHA-256 of each file; all of it is on the disk then.
Sides run as modules of this package, also where the product is not installed: nothing of it is imported here.
"""

from pathlib import Path

from bench.results import Benchmark
from bench.scale import Scale


def run(scale: Scale, work: Path) -> list[Benchmark]:
    """Benchmarks `curate_vs_pandas` and `curate_vs_frameworks`."""
    from bench.curate.comparing import against_frameworks, against_pandas

    return [against_pandas(scale, work), against_frameworks(scale, work)]
