"""Staging: raw events into files by chunk and event name, as the first run over a telemetry folder does.

`python -m bench.embedded.staging_side TELEMETRY STORE`; the store is emptied first.
"""

import shutil
import sys
import time
from pathlib import Path

from bench.telling import tell
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto


def megabytes(folder: Path) -> int:
    """What the Parquet files in a folder come to."""
    return round(sum(file.stat().st_size for file in folder.rglob("*.parquet")) / 1e6)


telemetry, store = Path(sys.argv[1]), Path(sys.argv[2])
shutil.rmtree(store, ignore_errors=True)
started = time.perf_counter()
EmbeddedKusto(telemetry, store=store).prepare(lambda _done, _total: None)
seconds = time.perf_counter() - started
tell(seconds, {"raw_mb": megabytes(telemetry / "AppEvents"), "staged_mb": megabytes(store)})
