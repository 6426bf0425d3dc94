"""Dagster as its command line and its daemon have it: a process for each run, here of the first chunks.

`dagster asset materialize --partition`, two at a time as there are two cores, on an instance with default storage. What
a backfill launches is the same process, begun by the daemon. Told are the seconds of `CHUNKS` runs.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg

from bench.orchestration.places import WINDOW, chunk_versions, in_an_empty_home
from bench.telling import tell
from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.orchestration.partitions import partition_key

CHUNKS = 6
AT_A_TIME = 2
COMMAND = (str(Path(sys.executable).with_name("dagster")), "asset", "materialize", "-m", "sft_pipeline.definitions")
ASSETS = "key:conversation_chunks or key:rejected_conversations"


def materialize(part: str) -> None:
    """One chunk, with its checks."""
    words = (*COMMAND, "--select", ASSETS, "--partition", partition_key(WINDOW, part))
    subprocess.run(words, check=True, capture_output=True)


if __name__ == "__main__":
    settings = in_an_empty_home()
    settings.dagster_home.mkdir(parents=True)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    with dg.DagsterInstance.get():
        pass  # its databases are made, or two first runs would make them at once
    parts = settings.plan.chunk_keys[:CHUNKS]
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(materialize, parts))
    seconds = time.perf_counter() - began
    tell(seconds, {"chunks": chunk_versions(TableStore(settings.storage), parts), "runs": len(parts)})
