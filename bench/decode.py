"""A 70 MB response of the v2 protocol over loopback, to Parquet: this project and azure-kusto-data.

`python -m bench.decode` makes the body, serves it, and runs each side five times in processes of its own:

- ours: `ClusterKusto.save`, body to Parquet;
- dataframe: `KustoClient.execute` and `dataframe_from_result_table`, body to a pandas frame (nothing is written);
- streaming: `KustoClient.execute_streaming_query`, every row taken once (nothing is written).

All sides must find the same rows. Rates are megabytes of body per second; medians; memory is a process's peak.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

SIDES = ("ours", "dataframe", "streaming")
RUNS = 5
MEGABYTES = 70
CONVERSATIONS = 400
END = date(2026, 11, 1)
KINDS = {"String": "string", "Int64": "long", "Datetime(time_unit='us', time_zone='UTC')": "datetime"}


def candidates(folder: Path) -> "pl.DataFrame":
    """What the production query answers on synthetic telemetry: a third candidates, with turns; the rest without."""
    from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
    from sft_pipeline.clients.queries.catalog import load_query
    from sft_pipeline.telemetry.synthesis import generate

    generate(folder / "telemetry", conversations=CONVERSATIONS, seed=7, days=15, end=END)
    kusto = EmbeddedKusto(folder / "telemetry", store=folder / "store", staged_chunks=1)
    until = datetime.combine(END, datetime.min.time(), UTC)
    window = {"windowStart": until - timedelta(days=15), "windowEnd": until, "chunk": 0, "chunkCount": 1}
    return kusto.execute(load_query("production/sft_candidates_hash_chunked"), window)


def body(rows: "pl.DataFrame", megabytes: int) -> bytes:
    """These rows as a v2 response, again and again under other ids until it is large enough."""
    columns = [{"ColumnName": name, "ColumnType": KINDS[str(kind)]} for name, kind in rows.schema.items()]
    told = [[_told(value) for value in row] for row in rows.rows()]
    once = len(json.dumps(told, ensure_ascii=False).encode())
    again = range(max(1, round(megabytes * 1_000_000 / once)))
    table = {"FrameType": "DataTable", "TableId": 1, "TableKind": "PrimaryResult", "TableName": "PrimaryResult"}
    frames = [
        {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"},
        {**table, "Columns": columns, "Rows": [[f"{number}-{row[0]}", *row[1:]] for number in again for row in told]},
        {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False},
    ]
    return json.dumps(frames, ensure_ascii=False, separators=(",", ":")).encode()


def _told(value: object) -> object:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f0Z") if isinstance(value, datetime) else value


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
    ClusterKusto(url, "db", auth="none").save(Query("q", "q.kql", "print 1", ""), {}, folder / "answer.parquet")
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
    return {**found, "rss_mb": peak_mb()}


def peak_mb() -> float:
    """This process's own peak: what getrusage tells begins with that of the process it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


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
    with tempfile.TemporaryDirectory() as folder:
        answer = body(candidates(Path(folder)), options.megabytes)
    with served(answer) as url:
        sides = measured(url, len(answer) / 1e6)
    rate = {side: told["megabytes_per_second"] for side, told in sides.items()}
    ratios = {f"ours_vs_{side}": round(rate["ours"] / rate[side], 2) for side in SIDES[1:]}
    print(
        json.dumps({"id": "decode", "body_mb": round(len(answer) / 1e6, 1), "sides": sides, "ratios": ratios}, indent=2)
    )


if __name__ == "__main__":
    main()
