"""What a benchmark found, and the file that keeps it.

Belongs here: the shape of `bench/results/latest.json`, and medians.
Does not belong here: running anything (measuring), what is told about it (document).
"""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LATEST = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True)
class Goal:
    """What was to be reached, and whether it was: `not met` has its reason in the benchmark's note."""

    statement: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One figure against others.

    Args:
        id: e.g. `curate_vs_pandas`.
        value: the headline; a ratio says how many times faster than the first peer, unless `unit` says otherwise.
        unit: of `value`, e.g. `times pandas`.
        ours: of this project, in `measure`.
        peers: the others, in `measure`, by name.
        measure: what `ours`, `peers` and `limit` are, e.g. `seconds`, `MB/s`.
        limit: what the machine allows, in `measure`, where that was measured.
        rss_mb: peak memory of each side as its own process, children included.
        note: what was compared, in what the sides differ, what limits ours.
        size: of the input, e.g. `335,000 conversations, 3.0 GB`.
        runs: of each side; figures are medians.
        spread: lowest and highest of each side's runs.
        goals: with whether they are met.
        series: named columns of equal length, to draw; the first one is the x axis.
    """

    id: str
    value: float
    unit: str
    ours: float
    peers: Mapping[str, float]
    measure: str
    limit: float | None
    rss_mb: Mapping[str, float]
    note: str
    size: str
    runs: int
    spread: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    goals: Sequence[Goal] = ()
    series: Mapping[str, Sequence[float | str]] = field(default_factory=dict[str, Sequence[float | str]])


def rounded(figure: float) -> float:
    """To three significant digits: what a second run will tell again."""
    return float(f"{figure:.3g}")


def median(figures: Iterable[float]) -> float:
    """The median, to three significant digits."""
    return rounded(statistics.median(figures))


def read_results(path: Path = LATEST) -> dict[str, Any]:
    """The results as they were recorded last; empty before the first time."""
    return json.loads(path.read_text()) if path.is_file() else {}


def record(machine: Mapping[str, Any], scale: str, found: Sequence[Benchmark], path: Path = LATEST) -> None:
    """Put results in the place of those of the same name; those of another machine or scale do not stay beside them."""
    told = read_results(path)
    same = told.get("machine") == dict(machine) and told.get("scale") == scale
    kept = {one["id"]: one for one in told.get("benchmarks", [])} if same else {}
    kept |= {one.id: asdict(one) for one in found}
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": dict(machine), "scale": scale, "benchmarks": list(kept.values())}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
