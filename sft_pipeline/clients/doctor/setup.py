"""What is configured, as values that an examination starts from.

Belongs here: the values. Does not belong here: where they come from (orchestration.settings), looking (examination).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sft_pipeline.clients.blob.connecting import Container
from sft_pipeline.clients.kusto.connecting import ServicePrincipal


@dataclass(frozen=True)
class Setup:
    """What the environment and the plan say, as far as it is examined.

    Args:
        plan: its name.
        start: of the window, inclusive.
        end: of the window, exclusive.
        now: the time of the examination.
        cluster: its address, or empty for the embedded engine.
        database: its name.
        auth: how to sign in.
        credentials: the application, where one is named.
        telemetry: the folder for the embedded engine.
        staged: where the engine keeps its copy.
        server_timeout_seconds: as asked of the service.
        client_timeout_seconds: how long the client waits.
        queries_at_a_time: as configured.
        pool_limit: what the Dagster instance allows at a time, where there is one.
        tables: where intermediate tables lie.
        releases: where releases are published.
        labels: where verdicts are kept; empty where the plan has no routers.
        containers: of `tables`, `releases` and `labels`, where those are no folders.
        reach_seconds: how long to wait for a cluster's first word.
    """

    plan: str
    start: datetime
    end: datetime
    now: datetime
    cluster: str
    database: str
    auth: str
    telemetry: Path | None
    staged: Path
    server_timeout_seconds: int
    client_timeout_seconds: int
    queries_at_a_time: int
    tables: str
    releases: str
    labels: str = ""
    containers: Mapping[str, Container] = field(default_factory=dict[str, Container])
    credentials: ServicePrincipal = field(default_factory=ServicePrincipal)
    pool_limit: int | None = None
    reach_seconds: float = 10.0
