"""A blocking check that fails after its table is materialized (52): nothing downstream is made, nothing published."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.assembly import assemble, resources
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.resources import TablesResource
from sft_pipeline.orchestration.steps import walk_steps
from sft_pipeline.orchestration.walk import walk
from sft_pipeline_tests.orchestration.walked_world import KEY, WINDOW, Recorder, World

CHUNK = TableKey("conversation_chunks", KEY, "0-of-2")
DOWNSTREAM = ("conversations", "samples", "sample_artifacts", "sample_release")


@pytest.fixture
def world(walked: World, tmp_path: Path) -> World:
    """A finished walk without its release."""
    copied = walked.copy(tmp_path)
    for release in releases(copied):
        shutil.rmtree(release)
    return copied


def releases(world: World) -> list[Path]:
    return list(Path(world.settings.releases).glob("small_*"))


def made_in(instance: dg.DagsterInstance, asset: str) -> int:
    """How often partitions of an asset were materialized."""
    return len(instance.fetch_materializations(dg.AssetKey(asset), limit=1000).records)


def where_a_row_is_lost(world: World, folder: Path) -> TablesResource:
    """A copy of the tables as checks would find them after a row of a chunk was lost on the way."""
    tables = TableStore(str(shutil.copytree(world.settings.storage, folder)))
    kept = {name: text for name, text in tables.notes(CHUNK).items() if not name.startswith("ARROW")}
    tables.write(CHUNK, tables.read(CHUNK).tail(-1), kept)
    return TablesResource(base=str(folder))


def run(
    world: World, instance: dg.DagsterInstance, asset: str, partition: str, **other: object
) -> dg.ExecuteInProcessResult:
    """A run that somebody begins in the UI, of one asset and what the same op makes."""
    plain, beside = assemble(world.settings), {"conversation_chunks": ["rejected_conversations"]}
    definitions = dg.Definitions(
        plain.assets, asset_checks=plain.asset_checks, resources=resources(world.settings) | other
    )
    return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        partition_key=partition,
        asset_selection=[dg.AssetKey(name) for name in (asset, *beside.get(asset, []))],
        raise_on_error=False,
    )


def test_fault_52_a_chunk_that_failed_its_check_is_materialized_and_not_published(world: World, tmp_path: Path) -> None:
    partition = f"{CHUNK.part}|{KEY}"
    with open_instance(world.settings) as instance:
        before = made_in(instance, "conversation_chunks"), [made_in(instance, asset) for asset in DOWNSTREAM]
        lossy = where_a_row_is_lost(world, tmp_path / "lossy")
        failed = run(world, instance, "conversation_chunks", partition, tables=lossy)
        assert not failed.success
        assert made_in(instance, "conversation_chunks") == before[0] + 1
        refused = run(world, instance, "sample_release", KEY)
        assert not refused.success
        assert [made_in(instance, asset) for asset in DOWNSTREAM] == before[1]
    [event] = [event for event in refused.all_events if event.is_step_failure]
    told = str(event.step_failure_data.error)
    assert f"checks did not pass of 1 partitions that the release is made from: conversation_chunks {partition}" in told
    assert "no_conversation_is_lost, table_is_stored_as_written" in told
    assert releases(world) == []
    assert world.made()["sample_release"] == 1
    assert len(releases(world)) == 1


def test_fault_52_a_walk_makes_nothing_after_the_check_that_failed(world: World) -> None:
    Path(world.tables.uri(TableKey("conversations", KEY))).unlink()
    plan = world.settings.plan
    targets = {**plan.sample.targets, "train": {"short": 20, "medium": 12, "long": 1000}}
    greedy = plan.model_copy(update={"sample": plan.sample.model_copy(update={"targets": targets})})
    settings = world.settings.model_copy(update={"plan": greedy})
    with open_instance(settings) as instance:
        before = [made_in(instance, asset) for asset in DOWNSTREAM]
        for time in (1, 2):
            with pytest.raises(Refused, match=r"train-long \(want 1,000"):
                walk(settings, instance, walk_steps(greedy, WINDOW), Recorder())
            assert [made_in(instance, asset) for asset in DOWNSTREAM] == [before[0] + time, *before[1:]]
    assert releases(world) == []
