from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sft_pipeline.clients.doctor.event_probes import columns_finding
from sft_pipeline.clients.doctor.findings import Finding
from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline.clients.doctor.sources import answered_findings
from sft_pipeline.clients.kusto.cluster import ClusterKusto
from sft_pipeline.telemetry.events import ENGINE_MESSAGES, KUSTO_SCHEMA, MESSAGE_TEXT, TOOL_CALL_DETAILS, write_events
from sft_pipeline.telemetry.raw_files import raw_paths
from sft_pipeline_tests.clients.doctor.examined import END, at, found, laptop, twenty_conversations
from sft_pipeline_tests.clients.kusto.fixed_answers import Cluster, cluster, frames


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return twenty_conversations(tmp_path_factory.mktemp("examined") / "telemetry")


@pytest.fixture
def setup(tmp_path: Path, telemetry: Path) -> Setup:
    return laptop(tmp_path, telemetry)


class TestTable:
    @pytest.fixture
    def there(self) -> Iterator[Cluster]:
        with cluster() as running:
            yield running

    def columns(self, there: Cluster, columns: dict[str, str]) -> None:
        there.answer(frames({"ColumnName": "string", "ColumnType": "string"}, list(columns.items())))

    def test_a_table_of_other_columns_does_not_fit(self, setup: Setup, there: Cluster) -> None:
        changed = {**KUSTO_SCHEMA, "Properties": "string"}
        del changed["Measurements"]
        self.columns(there, changed)
        findings = found(at(setup, there.url))
        assert findings["table"].state == "problem"
        assert "Measurements is missing, Properties is string, not dynamic" in findings["table"].told
        assert findings["events, newest event"].state == "not_looked_at"

    def test_columns_that_no_query_reads_are_told_and_fine(self) -> None:
        extra = {f"Extra{number}": "long" for number in range(8)}
        needed = {name: KUSTO_SCHEMA[name] for name in ("TimeGenerated", "Name", "Properties", "Measurements")}
        finding = columns_finding({**needed, **extra}, "remedy")
        assert finding.state == "ok"
        assert "extra: Extra0, Extra1, Extra2, Extra3, Extra4, Extra5 and 2 more" in finding.told
        assert "absent: UserId" in finding.told
        assert "fine either way" not in columns_finding(KUSTO_SCHEMA, "remedy").told

    def test_a_table_that_is_not_there(self, setup: Setup, there: Cluster) -> None:
        self.columns(there, {})
        kusto = ClusterKusto(there.url, "telemetry", auth="none")
        findings = answered_findings(kusto, at(setup, there.url))
        assert [next(findings).name for _ in range(3)] == ["reachable", "signed in", "allowed"]
        there.status = 400
        there.body = (
            b'{"error": {"code": "General_BadRequest", "message": "Request is invalid", "@permanent": true, '
            b'"@message": "Semantic error: SEM0100: \'getschema\' operator: Failed to resolve table or column '
            b"expression named 'AppEvents'\"}}"
        )
        table = next(findings)
        kusto.close()
        assert (table.name, table.state) == ("table", "problem")
        assert "telemetry has no table AppEvents" in table.told


class TestEvents:
    def kept(self, telemetry: Path, folder: Path, names: list[str]) -> Path:
        """The events of these names alone."""
        events = pl.concat([pl.read_parquet(path) for path in raw_paths(telemetry)])
        kept = events.filter(pl.col("Name").is_in(names), pl.col("TimeGenerated") >= END - timedelta(days=1))
        assert write_events(kept, folder, part=0)
        return folder

    def problems(self, setup: Setup) -> dict[str, Finding]:
        return {name: finding for name, finding in found(setup).items() if finding.state == "problem"}

    @pytest.mark.parametrize(
        ("end", "hint"), [(date(2027, 1, 1), "--window 2026-11-01"), (date(2026, 1, 1), "--window 2026-11-01")]
    )
    def test_a_window_beside_the_events_is_told_with_a_better_one(self, setup: Setup, end: date, hint: str) -> None:
        day = datetime(end.year, end.month, end.day, tzinfo=UTC)
        broken = self.problems(replace(setup, start=day - timedelta(days=1), end=day, now=day))
        assert list(broken) == ["events conversation.messageText", *list(broken)[1:]]
        assert len(broken) == 3
        assert all(hint in finding.remedy for finding in broken.values())

    def test_events_of_one_name_that_are_missing_are_told_with_what_that_means(
        self, setup: Setup, telemetry: Path, tmp_path: Path
    ) -> None:
        folder = self.kept(telemetry, tmp_path / "kept", [MESSAGE_TEXT, ENGINE_MESSAGES])
        broken = self.problems(replace(setup, telemetry=folder))
        assert list(broken) == ["events toolCallDetailsInternal"]
        assert "response types" in broken["events toolCallDetailsInternal"].told
        assert "client's version" in broken["events toolCallDetailsInternal"].remedy

    def test_a_table_without_any_of_the_events(self, setup: Setup, telemetry: Path, tmp_path: Path) -> None:
        folder = self.kept(telemetry, tmp_path / "kept", [TOOL_CALL_DETAILS])
        [file] = raw_paths(folder)
        pl.read_parquet(file).with_columns(Name=pl.lit("another event")).write_parquet(file)
        broken = self.problems(replace(setup, telemetry=folder))
        assert len(broken) == 4
        assert "at any time" in broken["events conversation.messageText"].remedy
        assert broken["newest event"].told == "there is none"

    def test_a_gap_between_events_is_told_as_one(self, setup: Setup, telemetry: Path, tmp_path: Path) -> None:
        events = pl.concat([pl.read_parquet(path) for path in raw_paths(telemetry)])
        time = pl.col("TimeGenerated")
        write_events(
            events.filter((time < END - timedelta(days=9)) | (time >= END - timedelta(days=2))), tmp_path, part=0
        )
        day = END - timedelta(days=5)
        broken = self.problems(replace(setup, telemetry=tmp_path, start=day - timedelta(days=1), end=day))
        assert all("before and after: 2026-10-" in finding.remedy for finding in broken.values())
        assert len(broken) == 3

    def test_how_long_the_window_is_ahead_of_the_events_is_told(self, setup: Setup) -> None:
        told = found(replace(setup, end=END + timedelta(days=3), now=END + timedelta(days=3)))["newest event"].told
        assert told.endswith("3 days before the window ends")
