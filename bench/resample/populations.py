"""What is drawn from: the candidates of a window, before and after a day was added, and the draws that sides make.

The day is every sixteenth candidate of the window, held back at first: without it the window has 15 parts, with it 16.
A real day would do as well, but days of the week differ by as much as two and a half times.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import polars as pl

from bench.resample.drawing import DRAWS
from sft_pipeline.curation.plan import Plan

DAY = 16
RAISED_CELL = "train-short"
RAISE = 45 / 40

BEFORE, AGAIN, RAISED, ADDED, APPENDED = "before", "again", "target_raised", "day_added", "day_added_at_the_end"
"""The draws: the former sample, the same once more, and those after a change."""


class Draw(TypedDict):
    """What a side is asked for: a population by its folder's name, and targets by cell."""

    population: str
    targets: Mapping[str, int]


def raised(plan: Plan) -> Plan:
    """The plan with the target of `RAISED_CELL` raised as from 40,000 to 45,000."""
    cell = plan.cell(RAISED_CELL)
    row = {**plan.sample.targets[cell.split], cell.bucket.name: int(cell.target * RAISE)}
    sample = plan.sample.model_copy(update={"targets": {**plan.sample.targets, cell.split: row}})
    return plan.model_copy(update={"sample": sample})


def write_populations(candidates: pl.DataFrame, plan: Plan, folder: Path) -> dict[str, Draw]:
    """The populations as Parquet, a folder each with a file per cell, and `draws.json`.

    Args:
        candidates: `Candidate` rows of the whole window.
        plan: with the targets before one is raised.
        folder: where to.
    """
    rows = candidates.drop("rank").sort("chunk", "conversationId").with_row_index("place")
    held_back = pl.col("place") % DAY == DAY - 1
    window, day = rows.filter(~held_back), rows.filter(held_back)
    populations = {BEFORE: window, ADDED: rows, APPENDED: pl.concat([window, day])}
    for name, population in populations.items():
        _write(population.drop("place"), plan, folder / name)
    targets = {cell.key: cell.target for cell in plan.cells}
    draws: dict[str, Draw] = {
        BEFORE: {"population": BEFORE, "targets": targets},
        AGAIN: {"population": BEFORE, "targets": targets},
        RAISED: {"population": BEFORE, "targets": {RAISED_CELL: raised(plan).cell(RAISED_CELL).target}},
        ADDED: {"population": ADDED, "targets": targets},
        APPENDED: {"population": APPENDED, "targets": targets},
    }
    (folder / DRAWS).write_text(json.dumps(draws))
    return draws


def population_ids(folder: Path, population: str, cell: str) -> list[str]:
    """The candidates of a cell in the order of their file."""
    return pl.read_parquet(folder / population / f"{cell}.parquet", columns=["conversationId"])[
        "conversationId"
    ].to_list()


def _write(population: pl.DataFrame, plan: Plan, folder: Path) -> None:
    folder.mkdir(parents=True)
    for cell in plan.cells:
        of_cell = (pl.col("split") == cell.split) & (pl.col("bucket") == cell.bucket.name)
        # digest and chunk matter to no sampler but to the product's table of candidates
        population.filter(of_cell).with_columns(digest=pl.lit("")).write_parquet(folder / f"{cell.key}.parquet")
