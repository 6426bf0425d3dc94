"""Lineage drives re-materialization: what the automation condition asks for, evaluated as the daemon does."""

from pathlib import Path

import dagster as dg

from sft_pipeline.orchestration.assembly import assemble
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline_tests.orchestration.walked_world import KEY, World

CHUNK = dg.AssetKey("conversation_chunks")


def record(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str, version: str) -> None:
    """A materialization with a content version, as a backfill would leave it."""
    tags = {"dagster/data_version": version, "dagster/data_version_is_user_provided": "true"}
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition, tags=tags))


def test_only_new_content_requests_what_is_downstream(walked: World, tmp_path: Path) -> None:
    world = walked.copy(tmp_path)
    settings = world.settings
    definitions = assemble(settings)
    with open_instance(settings) as instance:
        before = dg.evaluate_automation_conditions(definitions, instance)
        event = instance.get_latest_materialization_event(CHUNK)
        assert event is not None
        same = instance.fetch_materializations(
            dg.AssetRecordsFilter(CHUNK, asset_partitions=[f"0-of-2|{KEY}"]), limit=1
        )
        materialization = same.records[0].asset_materialization
        assert materialization is not None
        assert materialization.tags is not None
        record(instance, CHUNK, f"0-of-2|{KEY}", materialization.tags["dagster/data_version"])
        unchanged = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor)
        record(instance, CHUNK, f"0-of-2|{KEY}", "other content")
        changed = dg.evaluate_automation_conditions(definitions, instance, cursor=unchanged.cursor)
    assert unchanged.total_requested == 0
    assert changed.get_requested_partitions(dg.AssetKey("conversations")) == {KEY}
    assert changed.get_requested_partitions(dg.AssetKey("sample_artifacts")) == set()
