"""`resample_seconds`: what a raised target costs beside a full curation."""

from pathlib import Path
from typing import NamedTuple

from bench.measuring import Run, Side, peaks, run_in_turn, spreads
from bench.resample.populations import RAISED_CELL
from bench.results import Benchmark, Goal, median, rounded
from sft_pipeline.clients.publishing import ARTIFACTS
from sft_pipeline.curation.plan import Plan

OURS, FULL, CHOOSE = "ours", "full curation", "choose"
GOAL = 5.0
"""Percent of a full curation."""

PIECE = 4 * 1024 * 1024


class Curated(NamedTuple):
    """A full curation: its folder, the plan file with a raised target, and the run that made it."""

    folder: Path
    raised: Path
    run: Run


def remaking(curated: Curated, plan: Plan, folder: Path, *, size: str, runs: int) -> Benchmark:
    """Remake the cell of the raised target, into an empty folder every time.

    Args:
        curated: what there is.
        plan: with the raised target.
        folder: for what is remade.
        size: of the input, in words.
        runs: how often.

    Raises:
        SystemExit: the new file does not begin with the old one, or has another number of records than wanted.
    """
    arguments = (str(curated.folder), str(folder / "remade"), str(curated.raised), RAISED_CELL)
    side = Side(OURS, "bench.resample.remake", arguments)
    done = run_in_turn([side], runs)
    own = done[OURS]
    _require_nested(curated.folder, Path(own[-1].answer["file"]), plan.cell(RAISED_CELL).target)
    steps = {step: median(run.answer["steps"][step] for run in own) for step in own[0].answer["steps"]}
    seconds, full = median(run.seconds for run in own), rounded(curated.run.seconds)
    return Benchmark(
        id="resample_seconds",
        value=_percent(seconds, full),
        unit="% of a full curation, with the cell's table and file",
        ours=seconds,
        peers={FULL: full},
        measure="seconds",
        limit=None,
        rss_mb={**peaks(done), FULL: curated.run.rss_mb},
        note=_note(steps, full),
        size=f"{size}; {RAISED_CELL} raised to {plan.cell(RAISED_CELL).target:,}",
        runs=runs,
        spread=spreads(done),
        goals=[
            Goal(f"choosing anew takes under {GOAL:g} % of a full curation", _percent(steps[CHOOSE], full) < GOAL),
            Goal(f"with the table and file of its cell, under {GOAL:g} %", _percent(seconds, full) < GOAL),
        ],
        series={"step": [*steps], OURS: [*steps.values()]},
    )


def _percent(seconds: float, full: float) -> float:
    return rounded(100 * seconds / full)


def _require_nested(curated: Path, file: Path, target: int) -> None:
    """Hold the new file against the old one, byte by byte: a larger sample is the smaller one and more.

    Raises:
        SystemExit: it is not, or has another number of records than wanted.
    """
    [former] = (curated / "releases" / ARTIFACTS).glob(f"{RAISED_CELL}-*.json")
    with former.open("rb") as old, file.open("rb") as new:
        while piece := old.read(PIECE):
            if new.read(len(piece)) != piece:
                raise SystemExit(f"resample: {file.name} does not begin with {former.name}")
    with file.open("rb") as new:
        records = sum(1 for _ in new)
    if records != target:
        raise SystemExit(f"resample: {file.name} has {records:,} records, not {target:,}")


def _note(steps: dict[str, float], full: float) -> str:
    largest = max(steps, key=lambda step: steps[step])
    return (
        f"Choosing the ids anew from the stored candidates is {_percent(steps[CHOOSE], full)} % of a full curation "
        f"(which ran once). The rest writes the cell's records again, most of it to {largest}: files never change "
        "once they are written, so this grows with the cell, not with the change. The new file begins with the old "
        "one, byte by byte. Publishing a new release of all cells is not in it, nor is an added day: that changes "
        "every cell, and its telemetry has to be asked for first."
    )
