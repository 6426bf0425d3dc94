"""One split is judged at a time in an instance, whatever limits its other pools have."""

from pathlib import Path

import dagster as dg
import pytest

from sft_pipeline.orchestration.instance import JUDGE_POOL, open_instance
from sft_pipeline.orchestration.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "telemetry").mkdir()
    told = {"SFT_PLAN": "test", "SFT_HOME": str(tmp_path / "home"), "SFT_TELEMETRY": str(tmp_path / "telemetry")}
    return read_settings(told)


def limits(instance: dg.DagsterInstance) -> dict[str | None, int]:
    return {limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()}


def test_a_new_instance_judges_one_split_at_a_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(settings) as instance:
        instance.event_log_storage.initialize_concurrency_limit_to_default("kusto")
        assert limits(instance) == {JUDGE_POOL: 1, "kusto": 5}


def test_so_does_one_that_was_made_before_there_were_judges(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(settings) as instance:
        instance.event_log_storage.delete_concurrency_limit(JUDGE_POOL)
        instance.event_log_storage.initialize_concurrency_limit_to_default(JUDGE_POOL)
        assert limits(instance) == {JUDGE_POOL: 5}
    with open_instance(settings) as instance:
        assert limits(instance) == {JUDGE_POOL: 1}


def test_a_limit_that_somebody_has_set_stays(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    with open_instance(settings) as instance:
        instance.event_log_storage.set_concurrency_slots(JUDGE_POOL, 3)
    with open_instance(settings) as instance:
        assert limits(instance) == {JUDGE_POOL: 3}
