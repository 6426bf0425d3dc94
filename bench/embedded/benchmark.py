"""The sides of the chunk query, held against each other.

Belongs here: which sides there are, whether they answer the same, what is told. Does not belong here: any side.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.inputs import CANDIDATES_IN_PRODUCTION, telemetry
from bench.measuring import Run, Side, medians, peaks, run_alone, run_in_turn, spreads
from bench.results import Benchmark, Goal, median, rounded
from bench.scale import Scale
from sft_pipeline.plans import read_plan

OURS, UNSTAGED, STAGING, ALL = "ours", "unstaged folder", "staging, once", "all chunks in one process"
NOTE = """\
The production query, one chunk of {chunks}: `EmbeddedKusto` reads the chunk's part of the staged store; the unstaged
folder is duckdb-kql over the raw Parquet files as they lie there, with the same SQL and the same DuckDB settings.
For {compared} chunks each side is a process of its own that has yet to translate the query, and both answer the same
conversations, turns and calls, by a digest. Staging took {staging:.0f} s, once; then all {chunks} chunks took
{total:.0f} s in one process, {each:.2f} s each by the median, against {without:.0f} s that as many chunks of the
unstaged folder would take. To parse and plan its SQL of 226 kB takes every chunk half a
second of processor time and more; the rest goes to JSON and texts above all: DuckDB parses the properties of an event
anew for every property that the query names."""


def embedded(scale: Scale, work: Path) -> list[Benchmark]:
    """Measure, compare, tell."""
    raw, chunks = telemetry(work, scale.conversations), chunk_count(scale.conversations)
    with TemporaryDirectory(dir=work) as folder:
        staging = run_alone(Side(STAGING, "bench.embedded.staging_side", (str(raw), folder)))
        some = [number * chunks // scale.runs for number in range(scale.runs)]
        runs = _in_turn((str(raw), folder, str(chunks)), some)
        numbers = [str(chunk) for chunk in range(chunks)]
        everything = run_alone(Side(ALL, "bench.embedded.ours", (str(raw), folder, str(chunks), *numbers)))
    _require_same(runs)
    return [_benchmark(runs, staging, everything, scale.conversations)]


def chunk_count(candidates: int) -> int:
    """The plan's; a tenth of that for a window that would leave next to nothing in a chunk."""
    count = read_plan("production").chunks.count
    return count if candidates >= CANDIDATES_IN_PRODUCTION // 10 else count // 10


def _in_turn(words: tuple[str, ...], chunks: Sequence[int]) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {OURS: [], UNSTAGED: []}
    for chunk in chunks:
        ours = Side(OURS, "bench.embedded.ours", (*words, str(chunk)))
        unstaged = Side(UNSTAGED, "bench.embedded.unstaged_side", (*words, str(chunk)))
        for name, done in run_in_turn([ours, unstaged], 1).items():
            runs[name] += done
    return runs


def _require_same(runs: Mapping[str, Sequence[Run]]) -> None:
    for ours, unstaged in zip(runs[OURS], runs[UNSTAGED], strict=True):
        if ours.answer["answers"] != unstaged.answer["answers"]:
            raise SystemExit(f"embedded: a chunk is answered as {ours.answer} staged and {unstaged.answer} unstaged")


def _benchmark(runs: Mapping[str, Sequence[Run]], staging: Run, everything: Run, conversations: int) -> Benchmark:
    seconds, chunks = medians(runs), len(everything.answer["seconds"])
    each, without = median(everything.answer["seconds"]), seconds[UNSTAGED] * chunks
    own = staging.seconds + everything.seconds
    return Benchmark(
        id="embedded_chunk_seconds",
        value=each,
        unit="s per chunk",
        ours=seconds[OURS],
        peers={UNSTAGED: seconds[UNSTAGED]},
        measure="seconds",
        limit=None,
        rss_mb={**peaks(runs), ALL: everything.rss_mb, STAGING: staging.rss_mb},
        note=NOTE.format(
            chunks=chunks,
            compared=len(runs[OURS]),
            staging=staging.seconds,
            total=everything.seconds,
            each=each,
            without=without,
        ),
        size=f"{conversations:,} candidates, {staging.answer['raw_mb']:,} MB of Parquet, "
        f"{staging.answer['staged_mb']:,} MB staged",
        runs=len(runs[OURS]),
        spread={**spreads(runs), ALL: [rounded(end(everything.answer["seconds"])) for end in (min, max)]},
        goals=[Goal("staging and all chunks take less than all chunks of the unstaged folder", own < without)],
    )
