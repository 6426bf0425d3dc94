"""The sides of decoding, held against each other.

Belongs here: which sides there are, whether they read the same, what is told. Does not belong here: any side.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.decode.body import response_body
from bench.decode.service import serving
from bench.measuring import Run, Side, medians, peaks, run_in_turn, spreads
from bench.results import Benchmark, Goal, rounded
from bench.scale import Scale

OURS, PARQUET, FRAME, STREAMING, LIMIT = "ours", "dataframe to Parquet", "dataframe", "streaming", "limit"
GOAL = 3.0
NOTE = """\
`ClusterKusto.save` takes a response to Parquet (zstd, flushed to disk). `dataframe to Parquet` is azure-kusto-data's
`dataframe_from_result_table` with `to_parquet` of the same compression: the same work. `dataframe` stops at the
frame and writes nothing; `streaming` is its `execute_streaming_query`, which takes every row once, keeps none and
writes none. All sides find the same rows in the same order, by a digest over ids, numbers, times and texts. Ours
gives an answer only when the end of the response says that it is whole. The service is a process of its own, counted
against nobody. The limit reads the body and parses it with simdjson without making a single Python object. Ours
spends about two fifths of its processor time on parsing (orjson makes Python texts of the rows, and holds the
interpreter's lock meanwhile), a fourth on columns made of them, and a third on compression, which runs beside the
parsing."""


def decode(scale: Scale, work: Path) -> list[Benchmark]:
    """Measure, compare, tell."""
    body = response_body(work, scale.megabytes)
    with TemporaryDirectory(dir=work) as folder, serving(body) as url:
        runs = run_in_turn(_sides(url, Path(folder)), scale.runs)
    _require_same(runs)
    return [_benchmark(runs, body.stat().st_size / 1e6)]


def _sides(url: str, folder: Path) -> list[Side]:
    return [
        Side(OURS, "bench.decode.ours", (url, str(folder / "ours.parquet"))),
        Side(PARQUET, "bench.decode.dataframe_side", (url, str(folder / "frame.parquet"))),
        Side(FRAME, "bench.decode.dataframe_side", (url,)),
        Side(STREAMING, "bench.decode.streaming_side", (url,)),
        Side(LIMIT, "bench.decode.limit_side", (url,)),
    ]


def _require_same(runs: Mapping[str, Sequence[Run]]) -> None:
    answers = {name: {tuple(run.answer.items()) for run in own} for name, own in runs.items() if name != LIMIT}
    counts = {run.answer["rows"] for own in runs.values() for run in own}
    if len(set().union(*answers.values())) != 1 or len(counts) != 1:
        raise SystemExit(f"decode: the sides do not read the same rows: {answers}, {counts}")


def _benchmark(runs: Mapping[str, Sequence[Run]], megabytes: float) -> Benchmark:
    rate = {name: rounded(megabytes / seconds) for name, seconds in medians(runs).items()}
    ratio = {name: rate[OURS] / rate[name] for name in (PARQUET, FRAME, STREAMING)}
    return Benchmark(
        id="decode_vs_azure_kusto_dataframe",
        value=rounded(ratio[PARQUET]),
        unit="times as fast as azure-kusto-data's dataframe to Parquet",
        ours=rate[OURS],
        peers={name: rate[name] for name in ratio},
        measure="MB/s",
        limit=rate[LIMIT],
        rss_mb={name: peak for name, peak in peaks(runs).items() if name != LIMIT},
        note=NOTE,
        size=f"one response of {megabytes:.0f} MB, {runs[OURS][0].answer['rows']:,} rows",
        runs=len(runs[OURS]),
        spread={
            name: [rounded(megabytes / seconds) for seconds in reversed(ends)] for name, ends in spreads(runs).items()
        },
        goals=[
            Goal(f"{GOAL:g} times the dataframe, body to Parquet on both sides", ratio[PARQUET] >= GOAL),
            Goal(f"{GOAL:g} times the dataframe that nothing writes", ratio[FRAME] >= GOAL),
        ],
    )
