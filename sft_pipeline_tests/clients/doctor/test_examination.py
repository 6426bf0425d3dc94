import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.doctor.event_probes import ANSWER, counted_by_queries, counted_in_files
from sft_pipeline.clients.doctor.examination import examine
from sft_pipeline.clients.doctor.findings import Finding
from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline.clients.kusto.embedded import EmbeddedKusto
from sft_pipeline.telemetry.events import ENGINE_MESSAGES, MESSAGE_TEXT, TOOL_CALL_DETAILS
from sft_pipeline.telemetry.raw_files import raw_paths
from sft_pipeline_tests.clients.doctor.examined import END, START, at, found, only_problem
from sft_pipeline_tests.stand_in import Service

WORKSPACE = (
    "https://ade.loganalytics.io/subscriptions/0/resourcegroups/g/providers/microsoft.operationalinsights/workspaces/w"
)


def raw_counts(telemetry: Path) -> dict[str, int]:
    """The events of the window by name, counted without any of the code that is tested."""
    events = pl.concat([pl.read_parquet(path, columns=["Name", "TimeGenerated"]) for path in raw_paths(telemetry)])
    inside = events.filter(pl.col("TimeGenerated").is_between(START, END, closed="left"))
    return dict(inside.group_by("Name").len().rows())


def counts_told(findings: dict[str, Finding]) -> dict[str, int]:
    names = (MESSAGE_TEXT, ENGINE_MESSAGES, TOOL_CALL_DETAILS)
    told = {name: findings[f"events {name.rpartition('/')[2]}"].told for name in names}
    return {name: int(text.partition(" ")[0].replace(",", "")) for name, text in told.items()}


class TestAllWell:
    def test_a_cluster_is_examined_to_its_newest_event(self, setup: Setup, service: Service, telemetry: Path) -> None:
        findings = found(at(setup, service.url, database=service.database))
        assert {finding.state for finding in findings.values()} == {"ok"}
        assert list(findings)[7:11] == ["reachable", "signed in", "allowed", "table"]
        raw = raw_counts(telemetry)
        assert counts_told(findings) == {name: raw[name] for name in (MESSAGE_TEXT, ENGINE_MESSAGES, TOOL_CALL_DETAILS)}
        assert "2026-10-31" in findings["newest event"].told

    def test_a_cluster_behind_the_path_of_a_workspace_is_too(self, setup: Setup, service: Service) -> None:
        findings = found(at(setup, service.workspace_url, database=service.database))
        assert {finding.state for finding in findings.values()} == {"ok"}

    def test_files_are_examined_alike_before_and_after_they_are_staged(self, setup: Setup, telemetry: Path) -> None:
        before = found(setup)
        assert before["staged"].told.startswith("not yet")
        assert not setup.staged.exists()
        kusto = EmbeddedKusto(telemetry, store=setup.staged)
        kusto.execute(ANSWER, {})
        after = found(setup)
        assert after["staged"].told == f"in {setup.staged}"
        assert {finding.state for finding in (before | after).values()} == {"ok"}
        assert counts_told(before) == counts_told(after)
        assert counted_by_queries(kusto, START, END) == counted_in_files(raw_paths(telemetry), START, END)

    def test_a_staging_of_other_files_does_not_count(self, setup: Setup) -> None:
        stale = setup.staged / f"{'0' * 20}-40-1"
        stale.mkdir(parents=True)
        (stale / "manifest.json").write_text("{}")
        assert found(setup)["staged"].told.startswith("not yet")

    def test_nothing_is_left_behind(self, setup: Setup, service: Service, tmp_path: Path) -> None:
        found(setup)
        found(at(setup, service.url, database=service.database))
        assert list(tmp_path.iterdir()) == []


class TestConfiguration:
    def test_no_source(self, setup: Setup) -> None:
        findings = found(replace(setup, telemetry=None))
        assert "SFT_KUSTO_CLUSTER" in findings["source"].remedy
        assert findings["table, events, newest event"].state == "not_looked_at"

    def test_an_address_of_no_form(self, setup: Setup) -> None:
        assert only_problem(at(setup, "help.kusto.windows.net", "az_cli")).name == "source"

    def test_a_way_to_sign_in_that_lacks_something(self, setup: Setup) -> None:
        assert "AZURE_TENANT_ID" in only_problem(at(setup, "https://a.kusto.windows.net", "service_principal")).told

    def test_telemetry_beside_a_cluster_is_not_read(self, setup: Setup, service: Service) -> None:
        both = replace(setup, cluster=service.url, database=service.database, auth="none")
        assert found(both)["source"].told.endswith("SFT_TELEMETRY is not read")

    def limits(self, setup: Setup) -> dict[str, Finding]:
        """Findings before anything is asked of the network."""
        findings = examine(setup)
        return {finding.name: finding for finding in (next(findings) for _ in range(5))}

    def test_what_azure_monitor_allows_is_explained(self, setup: Setup) -> None:
        findings = self.limits(replace(at(setup, WORKSPACE, "az_cli"), queries_at_a_time=8))
        assert "Log Analytics workspace" in findings["source"].told
        assert "600 s" in findings["timeouts"].told
        assert "1800 s are configured" in findings["timeouts"].told
        assert findings["queries at a time"].remedy == "set SFT_KUSTO_QUERIES to 5 or less"

    def test_a_cluster_allows_what_is_configured(self, setup: Setup) -> None:
        findings = self.limits(replace(at(setup, "https://a.kusto.windows.net", "az_cli"), queries_at_a_time=8))
        assert "configured" not in findings["timeouts"].told
        assert findings["queries at a time"].state == "ok"

    def test_an_instance_made_with_another_limit(self, setup: Setup) -> None:
        asked = replace(at(setup, "https://a.kusto.windows.net", "az_cli"), queries_at_a_time=8, pool_limit=5)
        assert "dagster.yaml" in self.limits(asked)["queries at a time"].remedy
        assert self.limits(replace(asked, pool_limit=8))["queries at a time"].state == "ok"

    def test_a_window_that_is_not_over(self, setup: Setup) -> None:
        assert only_problem(replace(setup, now=END - timedelta(hours=1))).name == "window"

    def test_a_file_in_the_place_of_a_folder(self, setup: Setup, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        broken = only_problem(replace(setup, releases=str(tmp_path / "file" / "releases")))
        assert broken.name == "releases"
        assert "file" in broken.told

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written(self, setup: Setup, tmp_path: Path) -> None:
        (tmp_path / "tables").mkdir(mode=0o500)
        assert "permission denied" in only_problem(setup).told

    def test_a_folder_named_by_a_url(self, setup: Setup, tmp_path: Path) -> None:
        findings = found(replace(setup, releases=(tmp_path / "a b").as_uri()))
        assert f"{tmp_path / 'a b'}: writable" in findings["releases"].told

    def test_a_telemetry_folder_that_is_empty_or_unreadable(self, setup: Setup, tmp_path: Path) -> None:
        events = tmp_path / "T" / "AppEvents"
        events.mkdir(parents=True)
        assert "no Parquet file" in only_problem(replace(setup, telemetry=tmp_path / "T")).told
        (events / "2026-10-01-00000.parquet").write_bytes(b"not parquet")
        assert "not readable Parquet" in only_problem(replace(setup, telemetry=tmp_path / "T")).told
