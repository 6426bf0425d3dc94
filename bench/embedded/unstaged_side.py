"""The peer: duckdb-kql over the raw Parquet files, as one uses it without this project's store.

`python -m bench.embedded.unstaged_side TELEMETRY SPILL COUNT CHUNK`. Every event is read,
and hashed to find the chunk's.
"""

import sys
import time
from pathlib import Path

import duckdb_kql
import polars as pl

from bench.embedded.answers import told
from bench.embedded.asking import question
from bench.telling import tell

VIEW = """
CREATE VIEW AppEvents AS SELECT * REPLACE (
    CAST(TimeGenerated AS TIMESTAMP) AS TimeGenerated,
    CAST(Properties AS JSON) AS Properties,
    CAST(Measurements AS JSON) AS Measurements
) FROM read_parquet('{}')"""
"""With the types that the query counts on: the files have times with a zone, and JSON as texts."""

telemetry, spill, count, chunk = sys.argv[1:]
query, parameters = question(int(chunk), int(count))
started = time.perf_counter()
connection = duckdb_kql.connect(
    config={"memory_limit": "2GB", "preserve_insertion_order": False, "temp_directory": str(Path(spill) / "unstaged")}
)
connection.execute(VIEW.format(f"{telemetry}/AppEvents/*.parquet"))
answer = pl.DataFrame(duckdb_kql.kql(connection, query.text, parameters).to_arrow_table())
seconds = time.perf_counter() - started
tell(seconds, {"seconds": [seconds], "answers": [told(answer)]})
