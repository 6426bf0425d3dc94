"""What a cluster and the embedded engine have in common: the protocol by which everything else asks.

Belongs here: the protocol alone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl

from sft_pipeline.clients.kusto.parameters import ParameterValue
from sft_pipeline.clients.kusto.slots import Slots
from sft_pipeline.clients.queries.catalog import Query


class Saved(NamedTuple):
    """What was written of an answer: rows, their size in memory, and the Parquet file where it is kept there."""

    rows: int
    size: int
    content: bytes = b""


class Kusto(Protocol):
    """Where queries are run. The same query gives the same columns and types everywhere.

    Kusto types arrive as string: String (never null), long: Int64, int: Int32, real: Float64, bool: Boolean, datetime:
    Datetime("us", "UTC"), dynamic: String that holds JSON text.
    """

    slots: Slots
    """How many queries run at a time."""

    @property
    def cluster(self) -> str:
        """Which cluster, for people and for metadata."""
        ...

    @property
    def database(self) -> str:
        """Which database, for people and for metadata."""
        ...

    @property
    def remote(self) -> bool:
        """Whether answers come over a network, where rows may get lost."""
        ...

    def execute(self, query: Query, parameters: Mapping[str, ParameterValue]) -> pl.DataFrame:
        """Run a query.

        Raises:
            Refused: a parameter is unknown, missing or of another type.
            KustoQueryFailed: the engine refused the query, or its answer is not whole.
        """
        ...

    def save(self, query: Query, parameters: Mapping[str, ParameterValue], path: Path | None = None) -> Saved:
        """Run a query and write its answer as Parquet, to a file or to memory; a file counts only when this returns.

        Raises:
            Refused, KustoQueryFailed: as `execute`.
        """
        ...

    def interrupt(self) -> None:
        """Give up the queries that run, as far as that can be done from here; whoever waits for one gets an error."""
        ...

    def fingerprint(self) -> str:
        """What the data is, as far as it can be told without reading it: equal for equal data."""
        ...

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Do what queries would otherwise wait for, telling how many events of how many are done.

        Raises:
            Refused: the data cannot be read.
        """
        ...
