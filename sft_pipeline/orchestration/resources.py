"""The resources that assets are given: telemetry, intermediate tables, releases.

Belongs here: opening them, with the credentials that configuration must not hold; versions of what makes a table.
Does not belong here: what the environment says of them (settings).
"""

import os
from functools import cache
from pathlib import Path

import dagster as dg

from sft_pipeline.clients.blob.addresses import BlobPlace, blob_place, is_blob_address, without_signature
from sft_pipeline.clients.blob.credentials import BlobCredentials, read_credentials, table_options, tables_place
from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline.clients.blob.tables import BlobTables
from sft_pipeline.clients.kusto.chunk_queries import ChunkQueries
from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.kusto.connecting import ServicePrincipal
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.kusto.protocol import Kusto
from sft_pipeline.clients.kusto.slots import Slots
from sft_pipeline.clients.queries.catalog import Query, load_query
from sft_pipeline.clients.release_store import ReleaseStore, open_release_store
from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.curation.secrets import SECRET_KINDS
from sft_pipeline.orchestration.blob_accounts import open_container

CURATION_VERSION = "2"
"""Raise it with a change in `curation/` that gives other records from the same rows: chunks are then made again."""

COUNT_QUERY = "production/sft_conversation_count"
"""Counts what a plan's query looks at, by the events alone: a cluster's answer with fewer rows has lost some."""


class KustoResource(dg.ConfigurableResource[Kusto]):
    """The telemetry: a cluster where one is set, else the embedded engine over a folder of raw events."""

    cluster: str
    database: str
    auth: str
    telemetry: str
    staged: str
    server_timeout_seconds: int
    client_timeout_seconds: int
    queries_at_a_time: int

    def client(self) -> Kusto:
        """The client, connected once per process.

        Raises:
            Refused: neither a cluster nor a telemetry folder is set.
        """
        return self.chunks().kusto

    def chunks(self) -> ChunkQueries:
        """The client's chunk queries: the same for the walk, which asks ahead, and for the asset, which takes.

        Raises:
            Refused: as `client`.
        """
        return _chunk_queries(
            self.cluster,
            self.database,
            self.auth,
            self.telemetry,
            self.staged,
            self.server_timeout_seconds,
            self.client_timeout_seconds,
            self.queries_at_a_time,
        )


@cache
def _chunk_queries(
    cluster: str,
    database: str,
    auth: str,
    telemetry: str,
    staged: str,
    server_timeout_seconds: int,
    client_timeout_seconds: int,
    queries_at_a_time: int,
) -> ChunkQueries:
    if not cluster and not telemetry:
        raise Refused(
            "no telemetry to curate: neither SFT_KUSTO_CLUSTER nor SFT_TELEMETRY is set",
            remedy="point SFT_TELEMETRY at a folder made by `sft-pipeline telemetry generate` or `telemetry import`",
        )
    if not cluster:
        return ChunkQueries(EmbeddedKusto(Path(telemetry), store=Path(staged)), count_query=None)
    kusto = ClusterKusto(
        cluster,
        database,
        auth=auth,
        credentials=service_principal(),
        server_timeout_seconds=server_timeout_seconds,
        client_timeout_seconds=client_timeout_seconds,
        slots=Slots(queries_at_a_time),
    )
    return ChunkQueries(kusto, count_query=load_query(COUNT_QUERY))


def service_principal() -> ServicePrincipal:
    """The application to sign in as; a secret is never part of a resource's configuration, which the UI shows."""
    names = ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")
    return ServicePrincipal(*(os.environ.get(name, "") for name in names))


class TablesResource(dg.ConfigurableResource[TableStore]):
    """The intermediate tables, for checks and assets that read more than their inputs."""

    base: str

    def store(self) -> TableStore:
        """The table store."""
        return open_tables(self.base)


def open_tables(base: str) -> TableStore:
    """The table store at a folder or an `az://` place, entered by the environment's credentials.

    Raises:
        Refused: the environment does not say in which account the place lies.
    """
    if "://" not in base:
        return TableStore(base)
    credentials = read_credentials()
    container = open_container(tables_place(base, credentials), credentials)
    return TableStore(base, BlobTables(container, table_options(base, credentials)))


class ReleasesResource(dg.ConfigurableResource[ReleaseStore]):
    """Where releases are published."""

    url: str

    def store(self) -> ReleaseStore:
        """The release store."""
        return open_releases(self.url)


def open_releases(address: str, *, signed: bool = False) -> ReleaseStore:
    """The release store at a folder's path or URL, or at the address of a folder in Azure Blob Storage.

    Args:
        address: where.
        signed: whether the address may carry a shared access signature, which then counts instead of the environment's.

    Raises:
        Refused: there can be no store at such an address.
    """
    if not is_blob_address(address):
        return open_release_store(address)
    plain, signature = without_signature(address) if signed else (address, "")
    place = blob_place(plain)
    return _blob_store(place, read_credentials().with_sas(signature, place.account_url))


@cache
def _blob_store(place: BlobPlace, credentials: BlobCredentials) -> BlobReleaseStore:
    """One store per process: what an asset sends, the walk can tell."""
    return BlobReleaseStore(open_container(place, credentials))


def plan_query(plan: Plan) -> Query:
    """The query that the plan names."""
    return load_query(plan.query)


def extraction_code_version(plan: Plan, key_id: str) -> str:
    """The version of plan, query, rules and pseudonym key that decides what a chunk holds; its file carries it."""
    decisive = [plan.extraction_version(), plan_query(plan).sha256, rules_code_version(plan), key_id]
    return content_version(decisive)[:16]


def rules_code_version(plan: Plan) -> str:
    """The version of the record rules, the kinds of secrets and, raised by hand when its code changes, the curation."""
    rules = [f"{rule.name} {rule.severity} {rule.statement}" for rule in conversation_rules(plan)]
    kinds = [f"{kind.name} {kind.pattern}" for kind in SECRET_KINDS]
    return content_version([CURATION_VERSION, *rules, *kinds])[:16]
