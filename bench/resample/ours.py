"""This project: candidates ranked by a hash of their id, and the lowest of each cell.

As the assets `conversations` and `samples` do it: `aggregate`, then `choose` for every cell.
"""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from bench.resample.drawing import Chosen, run_draws
from sft_pipeline.curation.plan import Bucket, Cell
from sft_pipeline.curation.sampling import aggregate, choose


def draw(population: Path, targets: Mapping[str, int]) -> Chosen:
    """The ids of every cell's sample."""
    candidates, _ = aggregate(pl.read_parquet(population))
    chosen: Chosen = {}
    for key, target in targets.items():
        split, bucket = key.split("-")
        cell = Cell(split, Bucket(name=bucket, turns=(1, 1)), target)
        chosen[key] = choose(candidates, cell)["conversationId"].to_list()
    return chosen


if __name__ == "__main__":
    run_draws(draw)
