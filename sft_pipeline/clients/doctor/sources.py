"""The examination of where telemetry comes from: a cluster step by step, or the files of the embedded engine.

Belongs here: the order of steps, and what a failed step keeps from being looked at.
Does not belong here: causes of failures (diagnosis), what a table must hold (event_probes).
"""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from sft_pipeline.clients.doctor.diagnosis import Diagnosis, Stage, diagnose, reach
from sft_pipeline.clients.doctor.event_probes import (
    ANSWER,
    COLUMNS,
    columns_finding,
    counted_by_queries,
    counted_in_files,
    event_findings,
)
from sft_pipeline.clients.doctor.findings import Finding, not_looked_at, ok, problem, refusal
from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.clients.kusto.failures import KustoQueryFailed
from sft_pipeline.clients.kusto.protocol import Kusto
from sft_pipeline.clients.kusto.retries import Retries
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.telemetry.events import KUSTO_SCHEMA, TABLE
from sft_pipeline.telemetry.raw_files import raw_paths, readable_columns

SIGN_IN = {
    "az_cli": "by the Azure CLI's login",
    "managed_identity": "as this machine's managed identity",
    "service_principal": "as an application (AZURE_CLIENT_ID)",
    "device": "by a code entered in a browser",
    "none": "not at all",
}
"""How each way to sign in is told."""

PROBE_SECONDS = 120
_STAGES: tuple[Stage, ...] = ("reachable", "signed in", "allowed", "database")
SOURCE = ("table", "events", "newest event")
"""What there is to be found at a source."""

_KEPT_FROM: dict[Stage, str] = {
    "reachable": "the cluster is not reached",
    "signed in": "nobody is signed in",
    "allowed": "there is no right to read",
    "database": "there is no database to query",
    "query": "not even `print 1` is answered",
}


def cluster_findings(setup: Setup) -> Iterator[Finding]:
    """Whether a cluster can be reached, signed in to and read, and what its table holds."""
    broken = reach(setup.cluster, setup.reach_seconds)
    if broken:
        yield from _broken(broken)
        return
    kusto = ClusterKusto(
        setup.cluster,
        setup.database,
        auth=setup.auth,
        credentials=setup.credentials,
        server_timeout_seconds=PROBE_SECONDS,
        client_timeout_seconds=PROBE_SECONDS + 30,
        retries=Retries(attempts=3),
    )
    try:
        yield from answered_findings(kusto, setup)
    finally:
        kusto.close()


def answered_findings(kusto: Kusto, setup: Setup) -> Iterator[Finding]:
    """How far queries get on a cluster that can be reached, and what they find."""
    started = monotonic()
    try:
        kusto.execute(ANSWER, {})
    except KustoQueryFailed as failed:
        yield from _broken(diagnose(failed, setup.cluster, setup.auth))
        return
    yield ok("reachable", f"answers `print 1` in {monotonic() - started:.2f} s")
    yield ok("signed in", SIGN_IN[setup.auth])
    yield ok("allowed", f"queries on database {setup.database}")
    yield from _telemetry(kusto, setup)


def _broken(diagnosis: Diagnosis) -> Iterator[Finding]:
    """What was passed, where it broke, and what therefore nobody could look at."""
    passed = _STAGES.index(diagnosis.stage) if diagnosis.stage in _STAGES else len(_STAGES)
    yield from (ok(stage, "yes") for stage in _STAGES[: min(passed, 2)])
    yield problem(diagnosis.stage, diagnosis.told, diagnosis.remedy)
    yield not_looked_at((*_STAGES[passed + 1 :], *SOURCE), _KEPT_FROM[diagnosis.stage])


def _telemetry(kusto: Kusto, setup: Setup) -> Iterator[Finding]:
    """The table and the window's events, by queries."""
    table = _table(kusto, setup)
    yield table
    if table.state != "ok":
        yield not_looked_at(SOURCE[1:], "the table has to be mended first")
        return
    try:
        counted = counted_by_queries(kusto, setup.start, setup.end)
    except KustoQueryFailed as failed:
        diagnosis = diagnose(failed, setup.cluster, setup.auth)
        yield problem("events", diagnosis.told, diagnosis.remedy)
        yield not_looked_at(SOURCE[2:], "counting the events failed")
        return
    yield from event_findings(counted, setup.start, setup.end)


def _table(kusto: Kusto, setup: Setup) -> Finding:
    remedy = f"query the workspace or the database that holds the workspace-based {TABLE}, or map its columns in a view"
    try:
        rows = kusto.execute(COLUMNS, {})
    except KustoQueryFailed as failed:
        diagnosis = diagnose(failed, setup.cluster, setup.auth)
        if diagnosis.stage == "query" and TABLE in failed.message:
            return problem("table", f"{setup.database} has no table {TABLE}, or hides it from you", remedy)
        return problem("table", diagnosis.told, diagnosis.remedy)
    return columns_finding(dict(rows.select("ColumnName", "ColumnType").rows()), remedy)


def embedded_findings(setup: Setup, telemetry: Path) -> Iterator[Finding]:
    """The files of a telemetry folder; through the engine where they are staged already."""
    try:
        paths = raw_paths(telemetry)
        columns = [readable_columns(path) for path in paths]
        size = sum(path.stat().st_size for path in paths)
        yield ok("files", f"{len(paths):,} Parquet files, {size / 1e6:,.1f} MB")
        kusto = EmbeddedKusto(telemetry, store=setup.staged)
        staged = _is_staged(kusto, setup.staged)
        yield ok("staged", f"in {setup.staged}" if staged else "not yet: the first query does it, once")
        if staged:
            yield from _telemetry(kusto, setup)
            return
        yield columns_finding({name: KUSTO_SCHEMA.get(name, "") for name in frozenset[str]().union(*columns)}, "")
        counted = counted_in_files(paths, setup.start, setup.end)
        yield from event_findings(counted, setup.start, setup.end)
    except Refused as refused:
        yield refusal("files", refused)
        yield not_looked_at(SOURCE, "the files have to be mended first")


def _is_staged(kusto: EmbeddedKusto, store: Path) -> bool:
    """Whether the engine's copy is there and up to date; the raw files are hashed only where there is a copy."""
    return any(store.glob("*/manifest.json")) and any(store.glob(f"{kusto.fingerprint()[:20]}-*/manifest.json"))
