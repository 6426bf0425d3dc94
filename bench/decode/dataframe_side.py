"""azure-kusto-data: `execute` and `dataframe_from_result_table`, as its documentation shows. `... URL [FILE]`.

With FILE the frame goes to Parquet, with the compression that ours has; without, nothing is written. The client holds
the whole body and all of its rows in memory.
"""

import os
import sys
import time
from pathlib import Path

import pandas  # noqa: F401 - it is loaded when it is called: start-up is not what is measured
import pyarrow.parquet  # noqa: F401 - likewise
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.helpers import dataframe_from_result_table

from bench.decode.answers import answer
from bench.telling import tell


def main(url: str, path: Path | None) -> None:
    """Body to a frame, or to Parquet."""
    started = time.perf_counter()
    client = KustoClient(KustoConnectionStringBuilder.with_no_authentication(url))
    frame = dataframe_from_result_table(client.execute("db", "print 1").primary_results[0])
    if path is not None:
        frame.to_parquet(path, engine="pyarrow", compression="zstd", compression_level=1, index=False)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    columns = ("conversationId", "turnCount", "firstTime", "turnsArray")
    tell(seconds, answer(zip(*(frame[name] for name in columns), strict=True)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None)
