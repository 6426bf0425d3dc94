"""The walk at growing sizes: whether time grows with the window and memory does not.

Belongs here: the sizes' plans, the goals, what is told. Does not belong here: walking (walk_side).
"""

import re
from collections.abc import Mapping
from pathlib import Path

from bench.embedded.benchmark import chunk_count
from bench.inputs import CANDIDATES_IN_PRODUCTION, telemetry
from bench.measuring import Run, Side, run_alone
from bench.results import Benchmark, Goal, rounded
from bench.scale import Scale
from sft_pipeline.plans import FOLDER

TARGET = re.compile(r"(short|medium|long) = (\d+)")
COUNT = re.compile(r"^count = \d+", re.MULTILINE)
TIME_SLACK, MEMORY_SLACK = 1.25, 1.15
MEMORY_MB = 3500
NOTE = """\
`sft-pipeline run` with plan `production` to the sample release, from nothing: staging belongs to the step
`conversation_chunks`, and start-up of the command to the total. The plan's targets grow with the window, so that every
step has more to do. One run per size: a walk is a hundred queries and files, and their sum varies little. Seconds of
a step are those that `run` tells; its memory is the peak of the whole process while the step ran. The number of chunks
is the same at every size, so that a chunk grows with the window: DuckDB has 2 GB at most for one and spills what
does not fit. {slowest} takes the most at every size."""


def scaling(scale: Scale, work: Path) -> list[Benchmark]:
    """Measure, tell."""
    chunks = chunk_count(max(scale.growth))
    return [_benchmark({size: _walked(work, size, chunks) for size in scale.growth})]


def _walked(work: Path, conversations: int, chunks: int) -> Run:
    raw, plan = telemetry(work, conversations), work / str(conversations) / "production.toml"
    text = COUNT.sub(f"count = {chunks}", (FOLDER / "production.toml").read_text())
    plan.write_text(_scaled(text, conversations / CANDIDATES_IN_PRODUCTION))
    home = work / str(conversations) / "home"
    return run_alone(Side(f"{conversations:,}", "bench.scaling.walk_side", (str(raw), str(plan), str(home))))


def _scaled(plan: str, share: float) -> str:
    """The plan with targets for so many times the candidates of production."""
    return TARGET.sub(lambda target: f"{target[1]} = {int(int(target[2]) * share)}", plan)


def _benchmark(walks: Mapping[int, Run]) -> Benchmark:
    sizes = list(walks)
    per_thousand = {size: walk.seconds / size * 1000 for size, walk in walks.items()}
    memory = {size: walk.rss_mb for size, walk in walks.items()}
    _, from_time, *_ = sizes
    from_memory, largest = sizes[-3], sizes[-1]
    growth = per_thousand[largest] / per_thousand[from_time]
    flat = memory[largest] <= MEMORY_SLACK * memory[from_memory] or memory[largest] <= MEMORY_MB
    return Benchmark(
        id="scaling",
        value=rounded(growth),
        unit=f"times the seconds per conversation from {from_time:,} to {largest:,} candidates",
        ours=rounded(walks[largest].seconds),
        peers={},
        measure="seconds",
        limit=None,
        rss_mb={f"{size:,} candidates": peak for size, peak in memory.items()},
        note=NOTE.format(slowest=f"`{max(_steps(walks), key=lambda step: _seconds(walks[largest], step))}`"),
        size=f"{sizes[0]:,} to {largest:,} candidates in 15 days",
        runs=1,
        goals=[
            Goal(
                f"seconds per conversation at {largest:,} at most {TIME_SLACK:g} times those at {from_time:,}",
                growth <= TIME_SLACK,
            ),
            Goal(
                f"peak memory at {largest:,} at most {MEMORY_SLACK:g} times that at {from_memory:,}, or "
                f"{MEMORY_MB / 1000:g} GB",
                flat,
            ),
        ],
        series=_series(walks),
    )


def _series(walks: Mapping[int, Run]) -> dict[str, list[float | str]]:
    series: dict[str, list[float | str]] = {
        "candidates": [float(size) for size in walks],
        "all": [rounded(walk.seconds) for walk in walks.values()],
    }
    for step in _steps(walks):
        series[step] = [_seconds(walk, step) for walk in walks.values()]
    for step in _steps(walks):
        series[f"{step} MB"] = [walk.answer["megabytes"][step] for walk in walks.values()]
    return series


def _steps(walks: Mapping[int, Run]) -> list[str]:
    return list(next(iter(walks.values())).answer["seconds"])


def _seconds(walk: Run, step: str) -> float:
    return walk.answer["seconds"][step]
