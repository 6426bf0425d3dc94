"""Setups that tests of the examination start from, and what holds for every finding."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sft_pipeline.clients.doctor.examination import examine
from sft_pipeline.clients.doctor.findings import Finding
from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline.telemetry.synthesis import generate

END = datetime(2026, 11, 1, tzinfo=UTC)
START = END - timedelta(days=15)


def twenty_conversations(folder: Path) -> Path:
    """Raw events of the window that ends at `END`, and some from before it."""
    generate(folder, conversations=20, seed=5, days=15, end=END.date())
    return folder


def laptop(folder: Path, telemetry: Path) -> Setup:
    """That of a laptop with the embedded engine."""
    return Setup(
        plan="test",
        start=START,
        end=END,
        now=END,
        cluster="",
        database="",
        auth="az_cli",
        telemetry=telemetry,
        staged=folder / "staged",
        server_timeout_seconds=1800,
        client_timeout_seconds=2100,
        queries_at_a_time=5,
        tables=str(folder / "tables"),
        releases=str(folder / "releases"),
        reach_seconds=0.3,
    )


def at(setup: Setup, url: str, auth: str = "none", database: str = "telemetry") -> Setup:
    return replace(setup, cluster=url, database=database, auth=auth, telemetry=None)


def found(setup: Setup) -> dict[str, Finding]:
    """Findings by name; what holds for each of them is checked."""
    findings = list(examine(setup))
    for finding in findings:
        assert finding.told
        assert bool(finding.remedy) == (finding.state == "problem"), finding
    assert len({finding.name for finding in findings}) == len(findings)
    return {finding.name: finding for finding in findings}


def only_problem(setup: Setup) -> Finding:
    [broken] = [finding for finding in found(setup).values() if finding.state == "problem"]
    return broken
