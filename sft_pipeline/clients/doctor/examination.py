"""An examination of everything that a run needs before it starts: configuration, folders, and the telemetry's source.

Belongs here: what is looked at, in which order, and what stands in the way of what.
Does not belong here: the steps of the way to the telemetry (sources), rendering (commands.doctor).
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import url2pathname

from sft_pipeline.clients.doctor.findings import (
    Finding,
    container_finding,
    folder_finding,
    not_looked_at,
    ok,
    problem,
    refusal,
)
from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline.clients.doctor.sources import SIGN_IN, SOURCE, cluster_findings, embedded_findings
from sft_pipeline.clients.kusto.addresses import AZURE_MONITOR_SECONDS, Service, server_timeout_allowed, service_of
from sft_pipeline.clients.kusto.connecting import connection
from sft_pipeline.curation.refusal import Refused

KINDS: dict[Service, str] = {
    "adx": "an Azure Data Explorer cluster",
    "fabric": "a Fabric or Synapse eventhouse",
    "log_analytics": "a Log Analytics workspace",
    "application_insights": "an Application Insights component",
    "local": "an emulator",
}
AZURE_MONITOR_QUERIES = 5
"""What Azure Monitor runs at a time for one user; more wait in a queue, and are refused after three minutes there."""

_NO_SOURCE = (
    "set SFT_KUSTO_CLUSTER and SFT_KUSTO_DATABASE, "
    "or SFT_TELEMETRY to a folder made by `sft-pipeline telemetry generate` or `telemetry import`"
)


def examine(setup: Setup) -> Iterator[Finding]:
    """Look at everything, telling each finding as soon as it is there; nothing is changed."""
    source = _source(setup)
    yield source
    yield ok("plan", setup.plan)
    yield _window(setup)
    if setup.cluster and source.state == "ok":
        yield from _limits(setup)
    yield _place("tables", setup.tables, setup)
    yield _place("releases", setup.releases, setup)
    if setup.labels:
        yield _place("labels", setup.labels, setup)
    if source.state != "ok":
        yield not_looked_at(SOURCE, "no source is configured that can be asked")
    elif setup.cluster:
        yield from cluster_findings(setup)
    elif setup.telemetry:
        yield from embedded_findings(setup, setup.telemetry)


def _source(setup: Setup) -> Finding:
    if not setup.cluster:
        told = f"the embedded engine over {setup.telemetry}"
        return ok("source", told) if setup.telemetry else problem("source", "none is configured", _NO_SOURCE)
    try:
        kind = KINDS[service_of(setup.cluster)]
        connection(setup.cluster, setup.auth, setup.credentials)
    except Refused as refused:
        return refusal("source", refused)
    besides = "; SFT_TELEMETRY is not read" if setup.telemetry else ""
    signing_in = f"signing in {SIGN_IN[setup.auth]}"
    return ok("source", f"{kind} at {setup.cluster}, database {setup.database}, {signing_in}{besides}")


def _window(setup: Setup) -> Finding:
    told = f"{setup.start:%Y-%m-%d} to {setup.end:%Y-%m-%d} UTC"
    if setup.end > setup.now:
        return problem("window", f"{told} ends in the future", "name a day that has begun with --window")
    return ok("window", told)


def _limits(setup: Setup) -> Iterator[Finding]:
    """What is asked of the service, and what it gives."""
    allowed = server_timeout_allowed(setup.cluster, setup.server_timeout_seconds)
    waited = allowed + setup.client_timeout_seconds - setup.server_timeout_seconds
    told = f"the server may work {allowed} s on a query, the client waits {waited} s"
    if allowed < setup.server_timeout_seconds:
        told += (
            f"; {setup.server_timeout_seconds} s are configured, but Azure Monitor stops every query after "
            f"{AZURE_MONITOR_SECONDS} s: a chunk that takes longer is split in two"
        )
    yield ok("timeouts", told)
    yield _queries(setup)


def _queries(setup: Setup) -> Finding:
    count = setup.queries_at_a_time
    by_azure_monitor = service_of(setup.cluster) in {"log_analytics", "application_insights"}
    if by_azure_monitor and count > AZURE_MONITOR_QUERIES:
        told = f"{count}, but Azure Monitor runs {AZURE_MONITOR_QUERIES} of one user and refuses those that wait long"
        return problem("queries at a time", told, f"set SFT_KUSTO_QUERIES to {AZURE_MONITOR_QUERIES} or less")
    if setup.pool_limit not in {None, count}:
        told = f"{count} in `run`, but {setup.pool_limit} in Dagster's UI: its instance was made with that limit"
        return problem(
            "queries at a time", told, "set pools.default_limit in the instance's dagster.yaml, or remove it"
        )
    return ok("queries at a time", str(count))


def _place(name: str, place: str, setup: Setup) -> Finding:
    """Where something is kept: a container or a folder."""
    if name in setup.containers:
        return container_finding(name, setup.containers[name])
    if place.startswith("file://"):
        place = url2pathname(place.removeprefix("file://").removeprefix("localhost"))
    return folder_finding(name, Path(place))
