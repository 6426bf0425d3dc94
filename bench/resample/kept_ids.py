"""`resample_kept_ids`: which share of the former sample each side keeps after a change."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from bench.measuring import Run, Side, peaks, run_in_turn
from bench.resample.drawing import Chosen
from bench.resample.keeping import (
    chance_share,
    farthest,
    ideal_share,
    kept_share,
    lowest,
    require_lowest,
    require_sample,
)
from bench.resample.populations import ADDED, AGAIN, APPENDED, BEFORE, RAISED, Draw, population_ids, write_populations
from bench.results import Benchmark, Goal, median, rounded
from sft_pipeline.curation.plan import Plan

OURS, INEXACT = "ours", "datatrove"
MODULES = {
    OURS: "ours",
    "pandas": "pandas_side",
    "datasets": "datasets_side",
    INEXACT: "datatrove_side",
    "DuckDB": "duckdb_side",
}
CHANGES = {RAISED: "target raised", ADDED: "day added", APPENDED: "day added, its rows last"}

Draws = Mapping[str, Draw]
Samples = Mapping[str, Mapping[str, Chosen]]
"""Ids by side, draw and cell."""


def kept_ids(candidates: pl.DataFrame, plan: Plan, folder: Path, *, size: str, runs: int) -> Benchmark:
    """Draw by every side, check the samples, and count what stays.

    Args:
        candidates: `Candidate` rows.
        plan: with the targets before one is raised.
        folder: for populations and samples.
        size: of the input, in words.
        runs: of each side.

    Raises:
        SystemExit: a sample is not what it should be.
    """
    populations = folder / "populations"
    draws = write_populations(candidates, plan, populations)
    sides = [_side(name, populations, folder / name) for name in MODULES]
    done = run_in_turn(sides, runs)
    samples = {name: {draw: _ids(folder / name / f"{draw}.json") for draw in draws} for name in MODULES}
    _require_right(samples, draws, populations, plan.sample.salt)
    kept = {name: {draw: _kept(own, draw) for draw in CHANGES} for name, own in samples.items()}
    ideal = _percent(ideal_share(draws, populations))
    ranking = _percent(
        min(_ranking_kept(samples[OURS], draws, draw, populations, plan.sample.salt) for draw in CHANGES)
    )
    return Benchmark(
        id="resample_kept_ids",
        value=ranking,
        unit="% of the former ids that still rank stay chosen",
        ours=kept[OURS][ADDED],
        peers={name: own[ADDED] for name, own in kept.items() if name != OURS},
        measure="% kept",
        limit=ideal,
        rss_mb=peaks(done),
        note=_note(samples, draws, done, ideal, _percent(chance_share(draws, populations))),
        size=size,
        runs=runs,
        goals=[Goal("every formerly chosen id that still ranks stays chosen", ranking == 100)],
        series={
            "change": [*CHANGES.values()],
            **{name: [*own.values()] for name, own in kept.items()},
            "at best": [100.0, ideal, ideal],
        },
    )


def _side(name: str, populations: Path, out: Path) -> Side:
    out.mkdir()
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return Side(name, f"bench.resample.{MODULES[name]}", (str(populations), str(out)), variables=offline)


def _ids(path: Path) -> Chosen:
    return json.loads(path.read_text())


def _require_right(samples: Samples, draws: Draws, populations: Path, salt: str) -> None:
    for name, own in samples.items():
        for draw, chosen in own.items():
            require_sample(name, chosen, draws[draw], populations, exact=name != INEXACT)
    for draw, chosen in samples[OURS].items():
        require_lowest(chosen, draws[draw], populations, salt)


def _kept(own: Mapping[str, Chosen], draw: str) -> float:
    return _percent(kept_share(own[BEFORE], own[draw]))


def _ranking_kept(own: Mapping[str, Chosen], draws: Draws, draw: str, populations: Path, salt: str) -> float:
    """The share that is kept of those former ids that are still among the lowest."""
    ranking = {
        cell: set(own[BEFORE][cell])
        & set(lowest(population_ids(populations, draws[draw]["population"], cell), salt, target))
        for cell, target in draws[draw]["targets"].items()
    }
    return kept_share(ranking, own[draw])


def _percent(share: float) -> float:
    return rounded(100 * share)


def _note(samples: Samples, draws: Draws, done: Mapping[str, Sequence[Run]], ideal: float, chance: float) -> str:
    seconds = ", ".join(f"{name} {_seconds(own):g} s" for name, own in done.items())
    return (
        "A sample of every cell; then with one target raised by an eighth, and with a fifteenth more candidates, which "
        "lie between the others, as chunks by hash deliver them, or after all others; the figures of the sides are "
        f"those of the former. An exact uniform sample of the larger window keeps {ideal} % on average at best, as new "
        f"candidates are owed their part, and {chance} % by chance. Ours loses only ids that rank too low now, checked "
        "with `hashlib` alone. pandas and datasets permute row numbers by a seed, DuckDB's reservoir and datatrove's "
        "dice go through rows in their order: what they keep depends on how many rows there are, and where. "
        f"{INEXACT} draws by a rate and misses the targets, e.g. {farthest(samples[INEXACT][BEFORE], draws[BEFORE])}."
        f"{_unsteady(samples, done)} Any of them would keep as much as ours if one sorted by a hash of the id in place "
        f"of its sampler: ours does no more. Choosing all cells anew with the day, reading included, took: {seconds}."
    )


def _seconds(runs: Sequence[Run]) -> float:
    return median(run.answer["seconds"][ADDED] for run in runs)


def _unsteady(samples: Samples, done: Mapping[str, Sequence[Run]]) -> str:
    """Sides that with the same seed and rows do not draw the same."""
    within = {name for name, own in samples.items() if kept_share(own[BEFORE], own[AGAIN]) < 1}
    between = {name for name, runs in done.items() if len({run.answer["ids"] for run in runs}) > 1}
    names = sorted(within | between)
    return f" With the same seed and rows {', '.join(names)} drew other ids in another run." if names else ""
