"""Settings from the environment, read here and nowhere else, and the resources that assets are given.

Belongs here: where data lies, how Kusto is reached. What changes the dataset is the plan's business.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import get_args

import dagster as dg
from pydantic import BaseModel, ConfigDict

from sft_pipeline.clients.embedded import EmbeddedKusto
from sft_pipeline.clients.kusto import Auth, ClusterKusto, Kusto, ServicePrincipal
from sft_pipeline.clients.query_catalog import Query, load_query
from sft_pipeline.clients.release_store import ReleaseStore, open_release_store
from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.curation.hashing import content_version
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.curation.rules import conversation_rules
from sft_pipeline.plans import read_plan

CURATION_VERSION = "1"
"""Raise it with a change in `curation/` that gives other records from the same rows: chunks are then made again."""

AUTHS: tuple[Auth, ...] = get_args(Auth)


class Settings(BaseModel):
    """Everything the environment says."""

    model_config = ConfigDict(frozen=True)

    plan: Plan
    home: Path
    dagster_home: Path
    storage: str
    releases: str
    telemetry: Path | None
    cluster: str
    database: str
    auth: Auth

    @property
    def staged(self) -> Path:
        """Where the embedded engine keeps its copy of the telemetry folder, ordered by chunk."""
        name = f"{self.telemetry.name}-{content_version([str(self.telemetry)])[:8]}" if self.telemetry else "none"
        return self.home / "staged" / name


def read_settings(environment: Mapping[str, str] = os.environ, *, plan: str | None = None) -> Settings:
    """Read the `SFT_*` variables and `DAGSTER_HOME`; defaults make a laptop work without any.

    Args:
        environment: the variables.
        plan: a plan's name or path that goes before `SFT_PLAN`.

    Each plan has its own Dagster instance and its own tables, so that plans do not see each other's materializations.

    Raises:
        Refused: the plan cannot be read, or a variable has a value it cannot have.
    """
    chosen = read_plan(plan or environment.get("SFT_PLAN") or "production")
    home = Path(environment.get("SFT_HOME") or ".sft").resolve()
    telemetry = environment.get("SFT_TELEMETRY")
    auth = environment.get("SFT_KUSTO_AUTH") or "az_cli"
    if auth not in AUTHS:
        raise Refused(f"SFT_KUSTO_AUTH is {auth!r}", remedy=f"set it to one of {', '.join(AUTHS)}")
    return Settings(
        plan=chosen,
        home=home,
        dagster_home=Path(environment.get("DAGSTER_HOME") or home / chosen.name / "dagster").resolve(),
        storage=_absolute(environment.get("SFT_STORAGE") or str(home / chosen.name / "assets")),
        releases=_absolute(environment.get("SFT_RELEASES") or str(home / "releases")),
        telemetry=Path(telemetry).resolve() if telemetry else None,
        cluster=environment.get("SFT_KUSTO_CLUSTER") or "",
        database=environment.get("SFT_KUSTO_DATABASE") or "",
        auth=next(known for known in AUTHS if known == auth),
    )


def _absolute(place: str) -> str:
    """A local path made absolute, so that it means the same from every working directory."""
    return place if "://" in place else str(Path(place).resolve())


class KustoResource(dg.ConfigurableResource[Kusto]):
    """The telemetry: a cluster where one is set, else the embedded engine over a folder of raw events."""

    cluster: str
    database: str
    auth: str
    telemetry: str
    staged: str

    def client(self) -> Kusto:
        """The client, connected once per process.

        Raises:
            Refused: neither a cluster nor a telemetry folder is set.
        """
        return _client(self.cluster, self.database, self.auth, self.telemetry, self.staged)


@cache
def _client(cluster: str, database: str, auth: str, telemetry: str, staged: str) -> Kusto:
    if cluster:
        return ClusterKusto(cluster, database, auth=auth, credentials=_service_principal())
    if not telemetry:
        raise Refused(
            "no telemetry to curate: neither SFT_KUSTO_CLUSTER nor SFT_TELEMETRY is set",
            remedy="point SFT_TELEMETRY at a folder made by `sft-pipeline telemetry generate` or `telemetry import`",
        )
    return EmbeddedKusto(Path(telemetry), store=Path(staged))


def _service_principal() -> ServicePrincipal | None:
    """The application to sign in as; a secret is never part of a resource's configuration, which the UI shows."""
    names = ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")
    values = [os.environ.get(name, "") for name in names]
    return ServicePrincipal(*values) if all(values) else None


class TablesResource(dg.ConfigurableResource[TableStore]):
    """The intermediate tables, for checks and assets that read more than their inputs."""

    base: str

    def store(self) -> TableStore:
        """The table store."""
        return open_tables(self.base)


def open_tables(base: str) -> TableStore:
    """The table store at a folder or `az://` URI; a key of the environment goes before the user's Azure login."""
    prefix = "AZURE_STORAGE_"
    names = ("ACCOUNT_NAME", "ACCOUNT_KEY", "SAS_TOKEN", "ENDPOINT", "ALLOW_HTTP")
    return TableStore(base, {name.lower(): os.environ[prefix + name] for name in names if prefix + name in os.environ})


class ReleasesResource(dg.ConfigurableResource[ReleaseStore]):
    """Where releases are published."""

    url: str

    def store(self) -> ReleaseStore:
        """The release store."""
        return open_release_store(self.url)


def plan_query(plan: Plan) -> Query:
    """The query that the plan names."""
    return load_query(plan.query)


def extraction_code_version(plan: Plan) -> str:
    """The version of plan, query and rules that decides what a chunk holds; its file carries it."""
    return content_version([plan.extraction_version(), plan_query(plan).sha256, rules_code_version(plan)])[:16]


def rules_code_version(plan: Plan) -> str:
    """The version of the record rules and, raised by hand when their code changes, of the curation."""
    rules = [f"{rule.name} {rule.severity} {rule.statement}" for rule in conversation_rules(plan)]
    return content_version([CURATION_VERSION, *rules])[:16]
