"""Ours: `ClusterKusto.save` reads the body part by part and writes Parquet while it reads. `... URL FILE`."""

import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from bench.decode.answers import answer
from bench.telling import tell
from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.queries.catalog import Query

COLUMNS = ("conversationId", "turnCount", "firstTime", "turnsArray")


def main(url: str, path: Path) -> None:
    """Body to Parquet."""
    started = time.perf_counter()
    ClusterKusto(url, "db", auth="none").save(Query("q", "q.kql", "print 1", ""), {}, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    tell(time.perf_counter() - started, answer(_rows(path)))


def _rows(path: Path) -> Iterator[tuple[str, int, datetime, str]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1000, columns=list(COLUMNS)):
            yield from zip(*(batch[name].to_pylist() for name in COLUMNS), strict=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
