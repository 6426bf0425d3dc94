"""azure-kusto-data's streaming reader: `execute_streaming_query`, every row taken once, nothing kept. `... URL`.

It is what spares memory; nothing is written. What the rows say is looked at in a second pass, which is not timed.
"""

import sys
import time
from collections.abc import Iterator

from azure.kusto.data import KustoClient, KustoConnectionStringBuilder
from azure.kusto.data._models import KustoResultRow

from bench.decode.answers import answer
from bench.telling import tell


def main(url: str) -> None:
    """Every row once."""
    client = KustoClient(KustoConnectionStringBuilder.with_no_authentication(url))
    started = time.perf_counter()
    for _ in _rows(client):
        pass
    seconds = time.perf_counter() - started
    told = ((row["conversationId"], row["turnCount"], row["firstTime"], row["turnsArray"]) for row in _rows(client))
    tell(seconds, answer(told))


def _rows(client: KustoClient) -> Iterator[KustoResultRow]:
    yield from next(iter(client.execute_streaming_query("db", "print 1").iter_primary_results()))


if __name__ == "__main__":
    main(sys.argv[1])
