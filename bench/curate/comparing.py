"""Sides in turn, each into an empty folder, their files held against the input, and what comes of it.

Belongs here: who takes part, and what is told of them.
Does not belong here: their work (a module each), whether their files hold what they should (same).
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from bench.curate.plan import doubled_chunks, write_plan
from bench.curate.same import reference, require_counts, require_same
from bench.environments import DATA_JUICER, PRODUCT
from bench.inputs import chunk_answers
from bench.machine import BUSY_SHARE, Busy, require_quiet
from bench.measuring import Run, Side, medians, peaks, run_side, spreads
from bench.results import Benchmark, Goal, median, rounded
from bench.scale import Scale

OURS, PRIVATE, DOUBLED, LIMIT = "ours", "ours, private", "ours, input doubled", "limit"
DUCKDB, STORED = "DuckDB in memory", "DuckDB, tables stored"
TIMES_PANDAS, TIMES_LIMIT = 10, 2.5
NOTE_ON_FRAMEWORKS = (
    "Each framework reads, filters, deduplicates and writes in its own way, in two processes; rules of a record, the "
    "exact sample of each cell and digests of files are in none of them, and are the same plain Python in all three. "
    "All draw the same conversations. Ours also stores every table on the way and computes token deltas."
)
MEGABYTES_ALLOWED, GROWTH_ALLOWED = 3_000, 1.15


class Course:
    """The sides of one benchmark, over the same chunks by the same plan."""

    def __init__(self, work: Path, conversations: int) -> None:
        self.chunks = chunk_answers(work, conversations)
        self.folder = self.chunks.with_name("curated")
        self.plan = write_plan(self.folder / "plan.json", conversations)

    def side(self, name: str, module: str, *more: str, environment: str = PRODUCT, chunks: Path | None = None) -> Side:
        """A side over the chunks, or over others."""
        arguments = (str(chunks or self.chunks), str(self.out(name)), str(self.plan), *more)
        return Side(name, f"bench.curate.{module}", arguments, environment)

    def out(self, name: str) -> Path:
        """The folder that a side writes into."""
        return self.folder / name.replace(", ", "-").replace(" ", "-")

    def run(self, side: Side) -> Run:
        """One run into an empty folder, the input in the page cache; one that others disturbed is done again, once.

        Raises:
            Busy: it was disturbed again.
        """
        run = self._run_once(side)
        if run.foreign > BUSY_SHARE:
            run = self._run_once(side)
        if run.foreign > BUSY_SHARE and not os.environ.get("BENCH_ON_A_BUSY_MACHINE"):
            raise Busy(f"others used {run.foreign:.0%} of the machine while {side.name} ran")
        return run

    def require_same(self, runs: Mapping[str, Sequence[Run]], *, drawn_otherwise: Sequence[str] = ()) -> None:
        """Hold the answers of all runs and the files of the last ones against the chunks; the files go then."""
        plan = json.loads(self.plan.read_text())
        of = reference(self.chunks, plan)
        for name, own in runs.items():
            for run in own:
                require_counts(name, run.answer, of, times=2 if name == DOUBLED else 1)
            if name not in {PRIVATE, DOUBLED}:
                files = {cell: self._released(name, own[-1].answer) / path for cell, path in plan["files"].items()}
                require_same(name, own[-1].answer, files, of, ranked=name not in drawn_otherwise)
        shutil.rmtree(self.folder)

    def size(self, answer: Mapping[str, Any]) -> str:
        """Of the input."""
        gigabytes = sum(path.stat().st_size for path in self.chunks.glob("*.jsonl")) / 1e9
        return f"{answer['rows']:,} conversations, {rounded(gigabytes)} GB of JSON lines"

    def _run_once(self, side: Side) -> Run:
        shutil.rmtree(self.out(side.name), ignore_errors=True)
        self.out(side.name).mkdir(parents=True)
        _in_page_cache(Path(side.arguments[0]))
        require_quiet()
        return run_side(side)

    def _released(self, name: str, answer: Mapping[str, Any]) -> Path:
        return Path(urlparse(answer["release"]).path) if "release" in answer else self.out(name)


def against_pandas(scale: Scale, work: Path) -> Benchmark:
    """All candidates of the window: pandas, DuckDB, and what the machine allows."""
    course = Course(work, scale.conversations)
    sides = [
        course.side(OURS, "ours"),
        course.side("pandas", "pandas_side"),
        course.side(DUCKDB, "duckdb_side"),
        course.side(STORED, "duckdb_side", "--stored"),
    ]
    runs: dict[str, list[Run]] = {name: [] for name in (*(side.name for side in sides), LIMIT)}
    for _ in range(scale.runs):
        for side in sides:
            runs[side.name].append(course.run(side))
        runs[LIMIT].append(course.run(course.side(LIMIT, "limit_side", str(runs[OURS][-1].answer["bytes"]))))
    runs[PRIVATE] = [course.run(course.side(PRIVATE, "ours", "--private"))]
    runs[DOUBLED] = [course.run(course.side(DOUBLED, "ours", chunks=doubled_chunks(course.chunks)))]
    course.require_same({name: own for name, own in runs.items() if name != LIMIT}, drawn_otherwise=["pandas"])
    seconds, memory = medians(runs), peaks(runs)
    return Benchmark(
        id="curate_vs_pandas",
        value=rounded(seconds["pandas"] / seconds[OURS]),
        unit="times pandas",
        ours=seconds[OURS],
        peers={name: seconds[name] for name in ("pandas", DUCKDB, STORED)},
        measure="seconds",
        limit=seconds[LIMIT],
        rss_mb={name: peak for name, peak in memory.items() if name != LIMIT},
        note=_note_on_pandas(runs),
        size=course.size(runs[OURS][-1].answer),
        runs=scale.runs,
        spread=spreads(runs),
        goals=[
            Goal(f"{TIMES_PANDAS} times pandas", seconds["pandas"] >= TIMES_PANDAS * seconds[OURS]),
            *(Goal(f"ahead of {name}", seconds[OURS] < seconds[name]) for name in (DUCKDB, STORED)),
            Goal(f"within {TIMES_LIMIT} times the limit", seconds[OURS] <= TIMES_LIMIT * seconds[LIMIT]),
            Goal("under 3 GB of memory", memory[OURS] < MEGABYTES_ALLOWED),
            Goal("memory within 15 % when the input doubles", memory[DOUBLED] <= GROWTH_ALLOWED * memory[OURS]),
        ],
    )


def against_frameworks(scale: Scale, work: Path) -> Benchmark:
    """A part of the window: frameworks that would need long for all of it."""
    course = Course(work, scale.peer_conversations)
    peers = [
        course.side("datasets", "datasets_side"),
        course.side("datatrove", "datatrove_side"),
        course.side("data-juicer", "data_juicer_side", environment=DATA_JUICER),
    ]
    runs: dict[str, list[Run]] = {OURS: [], **{peer.name: [] for peer in peers}}
    for _ in range(scale.runs):
        for side in (course.side(OURS, "ours"), *peers):
            runs[side.name].append(course.run(side))
    course.require_same(runs)
    seconds = medians(runs)
    fastest = min((peer.name for peer in peers), key=seconds.__getitem__)
    return Benchmark(
        id="curate_vs_frameworks",
        value=rounded(seconds[fastest] / seconds[OURS]),
        unit=f"times {fastest}, the fastest of them",
        ours=seconds[OURS],
        peers={peer.name: seconds[peer.name] for peer in peers},
        measure="seconds",
        limit=None,
        rss_mb=peaks(runs),
        note=NOTE_ON_FRAMEWORKS,
        size=course.size(runs[OURS][-1].answer),
        runs=scale.runs,
        spread=spreads(runs),
        goals=[Goal(f"ahead of {peer.name}", seconds[OURS] < seconds[peer.name]) for peer in peers],
    )


def _note_on_pandas(runs: Mapping[str, Sequence[Run]]) -> str:
    limit = {name: median(run.answer[name] for run in runs[LIMIT]) for name in ("write", "index of simdjson")}
    fastest, parsers = runs[LIMIT][-1].answer["fastest"], runs[LIMIT][-1].answer["parsers"]
    parsed = ", ".join(f"{name} {rounded(took)} s" for name, took in parsers.items())
    seconds, memory = medians(runs), peaks(runs)
    return (
        "pandas is the method of the first version of this dataset (`concat`, `drop_duplicates`, a loop that validates "
        "in Python, `sample`, `json.dump`), read by its fastest engine. DuckDB is SQL alone, once in memory and once "
        "as one would make it go on after a crash: a Parquet file a chunk, a digest a record. Counts, cells and "
        "contents of all files are the same; pandas draws other conversations of a cell. Ours stores every table on "
        "the way, digests every candidate, computes token deltas and reads its files once more before it publishes; "
        f"where its time goes: {_parts(runs[OURS])}. What such care costs lies between the two of DuckDB: "
        f"{rounded(seconds[STORED] - seconds[DUCKDB])} s. {TIMES_PANDAS} times pandas would be "
        f"{rounded(seconds['pandas'] / TIMES_PANDAS)} s, of which the limit is {seconds[LIMIT]} s. With pseudonyms "
        f"and redacted secrets, as in production, it took {seconds[PRIVATE]} s (one run). With the input doubled, by "
        f"the same plan, its peak memory was {memory[DOUBLED]:.0f} MB in place of {memory[OURS]:.0f} MB (one run). "
        f"The limit is the fastest parser and {limit['write']} s of writing; in the last run the fastest was {fastest} "
        f"({parsed}; the bare index of simdjson, without values: {limit['index of simdjson']} s)."
    )


def _parts(runs: Sequence[Run]) -> str:
    """Medians of the parts that a side tells."""
    parts = {name: median(run.answer["parts"][name] for run in runs) for name in runs[0].answer["parts"]}
    return ", ".join(f"{name} {seconds} s" for name, seconds in parts.items())


def _in_page_cache(chunks: Path) -> None:
    """Read the input once: what ran before may have pushed it out, and no side should pay for another."""
    for path in chunks.glob("*.jsonl"):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
