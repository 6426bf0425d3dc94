"""The sides of labelling, held against each other.

Belongs here: which sides there are, whether they find the same labels, what is told. Does not belong here: any side.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.environments import CURATOR
from bench.labels.inputs import Inputs, inputs
from bench.labels.service import serving
from bench.measuring import Run, Side, medians, peaks, run_in_turn, spreads
from bench.results import Benchmark, Goal, rounded
from bench.scale import Scale

OURS, PANDAS, PEER, FEWER, LIMIT = "ours", "pandas script", "curator", "ours, as many as curator", "limit"
NOTE = """\
Requests of some 5 kB each, prompt and history included, go to the Batch API of a local service and come back in no
order, a hundredth twice; a fiftieth of each batch expires and is asked again. All sides end with the same label for
each request, by a digest. Figures are requests per second of the side's **processor time**: the service is a process
of its own, and a real one takes up to a day. By the clock, the service's own work included: {clock}. `ours` journals
every answer before it counts, keeps a label store, a budget and the batches that are under way: labelling the same
requests again from the store took {again:.3g} s and asked for none. `pandas script` is OpenAI's SDK with a merge by
custom_id: no journal, no store, no budget; a killed run pays again for all. `curator` is bespokelabs-curator in
batch mode on {fewer:,} of the requests, its cache, telemetry, viewer and token counting off; the headline holds it
against ours on as many. The limit is orjson and a bare connection. What limits ours is Python for each request: its
key is made twice (for the estimate and for asking), and each answer is an object that is journaled by itself; then
JSON."""


def label_plumbing(scale: Scale, work: Path) -> list[Benchmark]:
    """Measure, compare, tell; each round has a service of its own, which keeps what it answered."""
    many, fewer = inputs(work, scale.requests), inputs(work, min(scale.requests, scale.peer_conversations))
    runs: dict[str, list[Run]] = {}
    for _ in range(scale.runs):
        with TemporaryDirectory(dir=work) as folder, serving() as url:
            for name, own in run_in_turn(_sides(url, many, fewer, folder), 1).items():
                runs.setdefault(name, []).extend(own)
    _require_same(runs, (OURS, PANDAS, LIMIT), scale.requests)
    _require_same(runs, (PEER, FEWER), min(scale.requests, scale.peer_conversations))
    return [_benchmark(runs)]


def _sides(url: str, many: Inputs, fewer: Inputs, folder: str) -> list[Side]:
    def arguments(given: Inputs) -> tuple[str, ...]:
        return url, str(given.requests), str(given.asking), folder

    return [
        Side(OURS, "bench.labels.ours", arguments(many)),
        Side(PANDAS, "bench.labels.pandas_side", arguments(many)),
        Side(LIMIT, "bench.labels.limit_side", arguments(many)),
        Side(PEER, "bench.labels.curator_side", arguments(fewer), environment=CURATOR),
        Side(FEWER, "bench.labels.ours", arguments(fewer)),
    ]


def _require_same(runs: Mapping[str, Sequence[Run]], names: Sequence[str], count: int) -> None:
    found = {name: {(run.answer["labels"], run.answer["sha256"]) for run in runs[name]} for name in names}
    told = set().union(*found.values())
    if len(told) != 1 or {labels for labels, _ in told} != {count}:
        raise SystemExit(f"labels: the sides do not find the same label for each of {count:,} requests: {found}")


def _benchmark(runs: Mapping[str, Sequence[Run]]) -> Benchmark:
    counts = {name: own[0].answer["labels"] for name, own in runs.items()}
    rate = {name: rounded(counts[name] / seconds) for name, seconds in medians(runs).items()}
    ratio = rate[FEWER] / rate[PEER]
    return Benchmark(
        id="label_plumbing",
        value=rounded(ratio),
        unit="times as fast as curator on as many requests",
        ours=rate[OURS],
        peers={name: rate[name] for name in (PEER, PANDAS)},
        measure="requests/s",
        limit=rate[LIMIT],
        rss_mb={name: peak for name, peak in peaks(runs).items() if name != LIMIT},
        note=_note(runs, counts),
        size=f"{counts[OURS]:,} requests ({counts[PEER]:,} for curator)",
        runs=len(runs[OURS]),
        spread={
            name: [rounded(counts[name] / seconds) for seconds in reversed(ends)]
            for name, ends in spreads(runs).items()
        },
        goals=[Goal("ahead of curator on as many requests", ratio > 1)],
    )


def _note(runs: Mapping[str, Sequence[Run]], counts: Mapping[str, int]) -> str:
    clock = {name: median(run.answer["wall"] for run in own) for name, own in runs.items()}
    return NOTE.format(
        clock=", ".join(f"{name} {seconds:.3g} s" for name, seconds in clock.items()),
        again=median(run.answer["from_store"] for run in runs[OURS]),
        fewer=counts[PEER],
    )
