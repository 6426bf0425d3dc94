"""What every side does around its sampler: the draws it is asked for, their time, the ids that it writes.

Only the standard library. `draws.json` in the folder of populations names the draws in order; a population is a folder
with a Parquet file per cell, rows in the order in which chunk results hold them.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.telling import tell

SEED = 42
DRAWS = "draws.json"

Chosen = dict[str, list[str]]
"""Ids by cell."""


def run_draws(draw: Callable[[Path, Mapping[str, int]], Chosen]) -> None:
    """`python -m ... POPULATIONS OUT`: every draw of a side, its ids written to `OUT/<draw>.json`.

    Args:
        draw: a population's folder and the targets by cell, to the ids by cell.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("populations", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    asked = json.loads((options.populations / DRAWS).read_text())
    seconds: dict[str, float] = {}
    ids = hashlib.sha256()
    for name, wanted in asked.items():
        began = time.perf_counter()
        chosen = draw(options.populations / wanted["population"], wanted["targets"])
        seconds[name] = time.perf_counter() - began
        told = json.dumps(chosen)
        ids.update(told.encode())
        (options.out / f"{name}.json").write_text(told)
    tell(sum(seconds.values()), {"seconds": seconds, "ids": ids.hexdigest()})


def cell_by_cell(sample: Callable[[str, int], list[str]]) -> Callable[[Path, Mapping[str, int]], Chosen]:
    """A draw by a sampler that knows no cells: the path of a cell's file and a target, to ids."""

    def draw(population: Path, targets: Mapping[str, int]) -> Chosen:
        return {cell: sample(str(population / f"{cell}.parquet"), target) for cell, target in targets.items()}

    return draw
