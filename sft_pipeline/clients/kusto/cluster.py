"""A cluster: a query's way to it and back.

Belongs here: when to ask again, sign in again, and what a request carries.
Does not belong here: signing in (connecting), HTTP (transport), what a response says (frames, response), failures
(failures), chunks (chunk_queries).
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from azure.kusto.data import ClientRequestProperties, KustoConnectionStringBuilder

from sft_pipeline.clients.kusto.connecting import ServicePrincipal, connection, server_timeout_allowed
from sft_pipeline.clients.kusto.failures import KustoQueryFailed, ServiceFailure
from sft_pipeline.clients.kusto.frames import response_parts
from sft_pipeline.clients.kusto.parameters import ParameterValue, checked_parameters, kql_literal
from sft_pipeline.clients.kusto.protocol import Saved
from sft_pipeline.clients.kusto.response import row_batches
from sft_pipeline.clients.kusto.retries import Retries
from sft_pipeline.clients.kusto.slots import Slots
from sft_pipeline.clients.kusto.transport import ByteClient
from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.curation.refusal import Refused

APPLICATION = "sft_pipeline"
Answer = TypeVar("Answer")


class ClusterKusto:
    """A Kusto cluster, or a Log Analytics workspace behind its proxy.

    Args:
        cluster_uri: `https://...`; it may carry a path, as the Log Analytics proxy's does.
        database: the database that tables are looked up in.
        auth: how to sign in.
        credentials: the application, for `service_principal`.
        server_timeout_seconds: how long the cluster may work on a query; cut to what the service allows.
        client_timeout_seconds: how long the client waits for the next byte, queueing included.
        slots: how many queries run at a time.
        retries: how often and when to ask again after a failure that may pass.
        connect: another way to connect than by `auth`, called again when the cluster calls the sign-in outdated.

    Raises:
        Refused: the way to sign in is unknown, or lacks what it needs.
    """

    remote = True

    def __init__(
        self,
        cluster_uri: str,
        database: str,
        *,
        auth: str,
        credentials: ServicePrincipal | None = None,
        server_timeout_seconds: int = 1800,
        client_timeout_seconds: int = 2100,
        slots: Slots | None = None,
        retries: Retries | None = None,
        connect: Callable[[], KustoConnectionStringBuilder] | None = None,
    ) -> None:
        self.cluster = cluster_uri
        self.database = database
        self.slots = slots or Slots(5)
        self._retries = retries or Retries()
        self._connect = connect or (lambda: connection(cluster_uri, auth, credentials))
        if client_timeout_seconds < server_timeout_seconds:
            raise Refused(
                f"the client would wait {client_timeout_seconds} s for a query that the server may take "
                f"{server_timeout_seconds} s for",
                remedy="let the client wait at least as long as the server may work",
            )
        self._patience = timedelta(seconds=client_timeout_seconds - server_timeout_seconds)
        self._server_timeout = timedelta(seconds=server_timeout_allowed(cluster_uri, server_timeout_seconds))
        self._client = ByteClient(self._connect(), patience=self._patience)
        self._renewing = Lock()

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """See `Kusto.prepare`: a cluster has its data at hand."""

    def execute(self, query: Query, parameters: Mapping[str, ParameterValue]) -> pl.DataFrame:
        """See `Kusto.execute`."""
        return self._ask(query, parameters, lambda batches: pl.concat(batches, rechunk=False))

    def save(self, query: Query, parameters: Mapping[str, ParameterValue], path: Path | None = None) -> Saved:
        """See `Kusto.save`: batch by batch, so that memory does not grow with the answer."""
        return self._ask(query, parameters, lambda batches: write_batches(batches, path))

    def interrupt(self) -> None:
        """See `Kusto.interrupt`: a query that was sent cannot be called back; its answer is not read."""

    def close(self) -> None:
        """Close the connections to the cluster."""
        self._client.close()

    def fingerprint(self) -> str:
        """The identity of cluster and database: what lies in them changes unseen."""
        return sha256(f"{self.cluster}\n{self.database}".encode()).hexdigest()

    def _ask(
        self,
        query: Query,
        parameters: Mapping[str, ParameterValue],
        read: Callable[[Iterator[pl.DataFrame]], Answer],
    ) -> Answer:
        values = checked_parameters(query, parameters)
        try:
            return self._retries.call(lambda: self._attempt(query, values, read))
        except ServiceFailure as failure:
            where = f" ({query.path}, line {failure.line})" if failure.line else ""
            known = f" [SHA-256 of the query: {query.sha256[:12]}]" if failure.kind == "permanent" else ""
            raise KustoQueryFailed(f"{failure.message}{where}{known}", query.name, kind=failure.kind) from None

    def _attempt(
        self,
        query: Query,
        values: Mapping[str, ParameterValue],
        read: Callable[[Iterator[pl.DataFrame]], Answer],
    ) -> Answer:
        """Ask once; once more after signing in again, when the cluster takes the sign-in no more."""
        with self.slots.taken():
            client = self._client
            try:
                return self._once(client, query, values, read)
            except ServiceFailure as failure:
                if failure.status != 401:
                    raise
            return self._once(self._renewed(client), query, values, read)

    def _once(
        self,
        client: ByteClient,
        query: Query,
        values: Mapping[str, ParameterValue],
        read: Callable[[Iterator[pl.DataFrame]], Answer],
    ) -> Answer:
        pieces = client.pieces(self.database, query.text, self._properties(query, values))
        try:
            answer = read(row_batches(response_parts(pieces)))
        except ServiceFailure as failure:
            if failure.throttled:
                self.slots.throttled()
            raise
        self.slots.answered()
        return answer

    def _renewed(self, outdated: ByteClient) -> ByteClient:
        """A client that signs in anew, shared by all who find the same one outdated."""
        with self._renewing:
            if self._client is outdated:
                self._client = ByteClient(self._connect(), patience=self._patience)
            return self._client

    def _properties(self, query: Query, values: Mapping[str, ParameterValue]) -> ClientRequestProperties:
        properties = ClientRequestProperties()
        properties.application = APPLICATION
        properties.client_request_id = ";".join(
            (APPLICATION, query.path.rpartition("/")[2], *_marks(values), _unique())
        )
        properties.set_option("servertimeout", self._server_timeout)
        properties.set_option("notruncation", True)  # noqa: FBT003 - the client's signature
        for name, value in values.items():
            properties.set_parameter(name, kql_literal(value, query.parameters[name]))
        return properties


def write_batches(batches: Iterator[pl.DataFrame], path: Path | None) -> Saved:
    """Write frames of one schema as Parquet, a row group each, to a file or to memory.

    One frame is compressed, outside Python's lock, while the next one is read.
    """
    first = next(batches)
    rows, size = 0, 0
    sink = cast("Any", pa.OSFile(str(path), "wb") if path else pa.BufferOutputStream())
    with sink:
        parquet: Any = pq.ParquetWriter(sink, _arrow(first).schema, compression="zstd", compression_level=1)
        with parquet, ThreadPoolExecutor(1) as writer:  # in this order: nobody may write when the file is closed
            writing = writer.submit(parquet.write_table, _arrow(first.clear()))
            for batch in chain([first], batches):
                writing.result()
                writing = writer.submit(parquet.write_table, _arrow(batch))
                rows, size = rows + batch.height, size + int(batch.estimated_size())
            writing.result()
        return Saved(rows, size, b"" if path else sink.getvalue().to_pybytes())


def _arrow(batch: pl.DataFrame) -> Any:  # noqa: ANN401 - pyarrow has no types
    return cast("Any", batch.to_arrow(compat_level=pl.CompatLevel.newest()))  # text as it lies, not copied


def _marks(values: Mapping[str, ParameterValue]) -> Iterator[str]:
    """Chunk and window, so that a query is found again in the cluster's own log (`.show queries`)."""
    if "chunk" in values and "chunkCount" in values:
        yield f"chunk={values['chunk']}-of-{values['chunkCount']}"
    days = [value for name in ("windowStart", "windowEnd") if isinstance(value := values.get(name), datetime)]
    if len(days) == 2:
        yield f"window={days[0]:%Y-%m-%dT%H%M}_{days[1]:%Y-%m-%dT%H%M}"


def _unique() -> str:
    return str(uuid4())
