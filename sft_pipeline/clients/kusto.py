"""Kusto: the protocol that a cluster and the embedded engine meet, and the cluster itself.

Belongs here: the protocol, what a failed query is, the client of a real cluster.
Does not belong here: parameters (parameters), a response's frames (kusto_response), the embedded engine (embedded).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Literal, Protocol
from uuid import uuid4

import polars as pl
from azure.core.exceptions import AzureError
from azure.kusto.data import ClientRequestProperties, KustoConnectionStringBuilder
from azure.kusto.data.exceptions import (
    KustoApiError,
    KustoError,
    KustoMultiApiError,
    KustoNetworkError,
    KustoServiceError,
    KustoThrottlingError,
)

from sft_pipeline.clients.kusto_response import Incomplete, WholeResponseClient, result_frame
from sft_pipeline.clients.parameters import ParameterValue, checked_parameters, kql_literal
from sft_pipeline.clients.query_catalog import Query
from sft_pipeline.curation.refusal import Refused

APPLICATION = "sft_pipeline"
Auth = Literal["az_cli", "managed_identity", "service_principal", "device", "none"]


class KustoQueryFailed(Refused):
    """A query gave no answer that can be trusted; nothing of it was kept.

    Args:
        message: what went wrong, without data and without parameter values.
        query: the query's name.
        permanent: whether asking again would fail the same way.
    """

    def __init__(self, message: str, query: str, *, permanent: bool = True) -> None:
        remedy = "mend the query or its access" if permanent else "run again: what is finished is kept"
        super().__init__(f"query {query} failed: {message}", remedy=remedy)
        self.message = message
        self.query = query
        self.permanent = permanent


class Kusto(Protocol):
    """Where queries are run. The same query gives the same columns and types everywhere.

    Kusto types arrive as string: String (never null), long: Int64, int: Int32, real: Float64, bool: Boolean, datetime:
    Datetime("us", "UTC"), dynamic: String that holds JSON text.
    """

    @property
    def cluster(self) -> str:
        """Which cluster, for people and for metadata."""
        ...

    @property
    def database(self) -> str:
        """Which database, for people and for metadata."""
        ...

    def execute(self, query: Query, parameters: Mapping[str, ParameterValue]) -> pl.DataFrame:
        """Run a query.

        Raises:
            Refused: a parameter is unknown, missing or of another type.
            KustoQueryFailed: the engine refused the query, or its answer is not whole.
        """
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


@dataclass(frozen=True)
class ServicePrincipal:
    """The credentials of an application."""

    client_id: str
    client_secret: str
    tenant_id: str

    def __repr__(self) -> str:
        return "ServicePrincipal(...)"


class ClusterKusto:
    """A Kusto cluster, or a Log Analytics workspace behind its proxy.

    Args:
        cluster_uri: `https://...`; it may carry a path, as the Log Analytics proxy's does.
        database: the database that tables are looked up in.
        auth: how to sign in.
        credentials: the application, for `service_principal`.
        server_timeout_seconds: how long the cluster may work on a query; Log Analytics allows no more than 600.
        client_timeout_seconds: how long the client waits, queueing included.

    Raises:
        Refused: the way to sign in is unknown, or lacks what it needs.
    """

    def __init__(
        self,
        cluster_uri: str,
        database: str,
        *,
        auth: str,
        credentials: ServicePrincipal | None = None,
        server_timeout_seconds: int = 1800,
        client_timeout_seconds: int = 2100,
    ) -> None:
        self.cluster = cluster_uri
        self.database = database
        self._server_timeout = timedelta(seconds=server_timeout_seconds)
        patience = timedelta(seconds=client_timeout_seconds) - self._server_timeout
        if patience < timedelta(0):
            raise Refused(
                f"the client would wait {client_timeout_seconds} s for a query that the server may take "
                f"{server_timeout_seconds} s for",
                remedy="let the client wait at least as long as the server may work",
            )
        self._client = WholeResponseClient(_connection(cluster_uri, auth, credentials), patience=patience)

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """See `Kusto.prepare`: a cluster has its data at hand."""

    def execute(self, query: Query, parameters: Mapping[str, ParameterValue]) -> pl.DataFrame:
        """See `Kusto.execute`."""
        properties = self._properties(query, checked_parameters(query, parameters))
        try:
            return result_frame(self._client.execute_query(self.database, query.text, properties))
        except Incomplete as error:
            raise KustoQueryFailed(str(error), query.name, permanent=error.permanent) from None
        except (KustoError, AzureError) as error:
            message, permanent = _told(error)
            raise KustoQueryFailed(message, query.name, permanent=permanent) from None

    def close(self) -> None:
        """Close the connections to the cluster."""
        self._client.close()

    def fingerprint(self) -> str:
        """The identity of cluster and database: what lies in them changes unseen."""
        return sha256(f"{self.cluster}\n{self.database}".encode()).hexdigest()

    def _properties(self, query: Query, values: Mapping[str, ParameterValue]) -> ClientRequestProperties:
        properties = ClientRequestProperties()
        properties.application = APPLICATION
        properties.client_request_id = f"{APPLICATION};{query.name.rpartition('/')[2]};{uuid4()}"
        properties.set_option("servertimeout", self._server_timeout)
        properties.set_option("notruncation", True)  # noqa: FBT003 - the client's signature
        for name, value in values.items():
            properties.set_parameter(name, kql_literal(value, query.parameters[name]))
        return properties


def _connection(cluster_uri: str, auth: str, credentials: ServicePrincipal | None) -> KustoConnectionStringBuilder:
    match auth:
        case "az_cli":
            return KustoConnectionStringBuilder.with_az_cli_authentication(cluster_uri)
        case "managed_identity":
            return KustoConnectionStringBuilder.with_aad_managed_service_identity_authentication(cluster_uri)
        case "service_principal" if credentials:
            return KustoConnectionStringBuilder.with_aad_application_key_authentication(
                cluster_uri, credentials.client_id, credentials.client_secret, credentials.tenant_id
            )
        case "device":
            return KustoConnectionStringBuilder.with_aad_device_authentication(cluster_uri)
        case "none" if cluster_uri.startswith("http://"):
            return KustoConnectionStringBuilder.with_no_authentication(cluster_uri)
        case _:
            raise Refused(
                f"cannot sign in to {cluster_uri} by {auth!r}",
                remedy="use az_cli, managed_identity, device, service_principal with AZURE_CLIENT_ID, "
                "AZURE_CLIENT_SECRET and AZURE_TENANT_ID set, or none with an http:// address",
            )


def _told(error: KustoError | AzureError) -> tuple[str, bool]:
    """What to say of a client's error, and whether asking again is of no use."""
    match error:
        case KustoThrottlingError():
            return "the cluster throttled the request", False
        case KustoNetworkError():
            return "the cluster cannot be reached, or the connection broke", False
        case KustoApiError():
            found = error.get_api_error()
            return f"{found.code}: {found.description}", bool(found.permanent)
        case KustoMultiApiError():
            errors = error.get_api_errors()
            told = "; ".join(f"{found.code}: {found.description}" for found in errors)
            return told, any(found.permanent for found in errors)
        case KustoServiceError():
            return "the cluster answered with an error that it does not explain", False
        case _:
            return f"signing in failed ({type(error).__name__})", True
