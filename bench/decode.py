"""A 70 MB response of the v2 protocol over loopback, to Parquet: this project and azure-kusto-data.

`python -m bench.decode` makes the body, serves it, and runs each side five times in processes of its own:

- ours: `ClusterKusto.save`, body to Parquet;
- dataframe: `KustoClient.execute` and `dataframe_from_result_table`, body to a pandas frame (nothing is written);
- streaming: `KustoClient.execute_streaming_query`, every row taken once (nothing is written).

All sides must find the same rows. Rates are megabytes of body per second; medians; memory is a process's peak.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

SIDES = ("ours", "dataframe", "streaming")
RUNS = 5
MEGABYTES = 70
WORDS = (
    'the quick brown fox reads a file, runs `pytest -x`, finds an "error" at line 42 and edits it\n'
    '\tdef f(x):\n\t\treturn x, ["é"]'
)
COLUMNS = {
    "conversationId": "string",
    "userName": "string",
    "turnCount": "long",
    "firstTime": "datetime",
    "dropReason": "string",
    "turnsArray": "string",
}


def body(megabytes: int) -> bytes:
    """Rows of about 42 kB as the candidates query gives them: few columns, one of them a long JSON text."""
    turn = {"turnIndex": 1, "messageId": "m", "userMessage": WORDS * 4, "modelMessage": WORDS * 40, "toolCounts": "{}"}
    turns = json.dumps([turn] * 8, ensure_ascii=False)
    rows = [
        [f"{number:032x}", "ada", 8, "2026-10-20T01:02:03.4567891Z", "", turns]
        for number in range(megabytes * 1_000_000 // len(json.dumps(turns).encode()))
    ]
    columns = [{"ColumnName": name, "ColumnType": kind} for name, kind in COLUMNS.items()]
    table = {"FrameType": "DataTable", "TableId": 1, "TableKind": "PrimaryResult", "TableName": "PrimaryResult"}
    frames = [
        {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"},
        {**table, "Columns": columns, "Rows": rows},
        {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False},
    ]
    return json.dumps(frames, ensure_ascii=False, separators=(",", ":")).encode()


@contextmanager
def served(answer: bytes) -> Generator[str, None, None]:
    """A service that answers every query with these bytes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def ours(url: str, folder: Path) -> dict[str, float]:
    """Body to Parquet by this project."""
    import polars as pl

    from sft_pipeline.clients.kusto.cluster import ClusterKusto
    from sft_pipeline.clients.queries.catalog import Query

    started = time.perf_counter()
    with (folder / "answer.parquet").open("w+b") as file:
        ClusterKusto(url, "db", auth="none").save(Query("q", "q.kql", "print 1", ""), {}, file)
    seconds = time.perf_counter() - started
    texts = pl.scan_parquet(folder / "answer.parquet").select(pl.len(), pl.col("turnsArray").str.len_chars().sum())
    rows, characters = texts.collect().row(0)
    return {"rows": rows, "characters": characters, "seconds": seconds}


def dataframe(url: str, _: Path) -> dict[str, float]:
    """Body to a pandas frame by azure-kusto-data."""
    import pandas  # noqa: F401 - which the next one imports when it is called
    from azure.kusto.data import KustoClient, KustoConnectionStringBuilder
    from azure.kusto.data.helpers import dataframe_from_result_table

    started = time.perf_counter()
    client = KustoClient(KustoConnectionStringBuilder.with_no_authentication(url))
    frame = dataframe_from_result_table(client.execute("db", "print 1").primary_results[0])
    seconds = time.perf_counter() - started
    return {"rows": len(frame), "characters": int(frame["turnsArray"].str.len().sum()), "seconds": seconds}


def streaming(url: str, _: Path) -> dict[str, float]:
    """Every row once by azure-kusto-data's streaming reader."""
    from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

    started = time.perf_counter()
    client = KustoClient(KustoConnectionStringBuilder.with_no_authentication(url))
    rows = characters = 0
    for row in next(iter(client.execute_streaming_query("db", "print 1").iter_primary_results())):
        rows, characters = rows + 1, characters + len(row["turnsArray"])
    return {"rows": rows, "characters": characters, "seconds": time.perf_counter() - started}


def one_run(side: Callable[[str, Path], dict[str, float]], url: str) -> dict[str, float]:
    """Seconds (without imports), peak memory and what was found, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        found = side(url, Path(folder))
    return {**found, "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(url: str, megabytes: float) -> dict[str, dict[str, float]]:
    """Each side's rate and memory; the sides take turns, so that the machine's mood meets all alike."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(RUNS):
        for side in SIDES:
            command = [sys.executable, "-m", "bench.decode", "--side", side, "--url", url]
            runs[side].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    found = {(run["rows"], run["characters"]) for side in SIDES for run in runs[side]}
    if len(found) != 1:
        raise SystemExit(f"the sides do not find the same rows: {found}")
    return {side: _medians(runs[side], megabytes) for side in SIDES}


def _medians(runs: list[dict[str, float]], megabytes: float) -> dict[str, float]:
    seconds = [run["seconds"] for run in runs]
    return {
        "megabytes_per_second": round(megabytes / statistics.median(seconds), 1),
        "fastest": round(megabytes / min(seconds), 1),
        "rss_mb": round(max(run["rss_mb"] for run in runs)),
    }


def main() -> None:
    """One side on a service that runs, or all sides."""
    parser = argparse.ArgumentParser(prog="bench.decode", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--url")
    options = parser.parse_args()
    if options.side:
        sides = {"ours": ours, "dataframe": dataframe, "streaming": streaming}
        print(json.dumps(one_run(sides[options.side], options.url)))
        return
    answer = body(options.megabytes)
    with served(answer) as url:
        sides = measured(url, len(answer) / 1e6)
    rate = {side: told["megabytes_per_second"] for side, told in sides.items()}
    ratios = {f"ours_vs_{side}": round(rate["ours"] / rate[side], 2) for side in SIDES[1:]}
    print(
        json.dumps({"id": "decode", "body_mb": round(len(answer) / 1e6, 1), "sides": sides, "ratios": ratios}, indent=2)
    )


if __name__ == "__main__":
    main()
