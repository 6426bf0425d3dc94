"""Several machines on one storage, each with its own instance: what one made, the others need not ask for again."""

import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.assembly import assemble, resources
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.resources import TablesResource
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline.orchestration.steps import Step, chunk_steps, walk_steps
from sft_pipeline.orchestration.walk import walk
from sft_pipeline.telemetry.events import events_folder, write_events
from sft_pipeline.telemetry.synthesis import generate
from sft_pipeline_tests.faults.fault_world import KEY, PLAN_TEXT, WINDOW
from sft_pipeline_tests.orchestration.walked_world import Recorder

CHUNKS = tuple(f"{number}-of-4" for number in range(4))
CHUNK = TableKey("conversation_chunks", KEY, CHUNKS[2])


@dataclass(frozen=True)
class Machine:
    """A home of its own, in a folder that holds the telemetry, the plan and the storage of all machines."""

    root: Path
    name: str
    watcher: Recorder = field(default_factory=Recorder)

    @property
    def settings(self) -> Settings:
        """What a user of this machine sets."""
        places = {"HOME": self.name, "STORAGE": "shared", "RELEASES": "releases", "TELEMETRY": "telemetry"}
        told = {f"SFT_{variable}": str(self.root / place) for variable, place in places.items()}
        return read_settings(told, plan=str(self.root / "plan.toml"))

    def run(self, *numbers: int, plan: Plan | None = None, until: str | None = None) -> dict[str, tuple[int, int]]:
        """Walk, or make chunks of these numbers alone; for each asset, how many were made and finished before."""
        settings = self.settings.model_copy(update={"plan": plan}) if plan else self.settings
        steps = chunk_steps(settings.plan, WINDOW, numbers) if numbers else walk_steps(settings.plan, WINDOW, until)
        return self.walk(settings, steps)

    def walk(self, settings: Settings, steps: tuple[Step, ...]) -> dict[str, tuple[int, int]]:
        with open_instance(settings) as instance:
            done = walk(settings, instance, steps, self.watcher)
        return {step.step.asset: (step.made, step.skipped) for step in done}

    def chunks(self, plan: Plan | None = None) -> tuple[int, int]:
        """Make all chunks; how many were made and finished before."""
        return self.run(*range(4), plan=plan)["conversation_chunks"]

    @property
    def tables(self) -> TableStore:
        return TableStore(self.settings.storage)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chunks as `first` and `second` made them, two each; tests copy it."""
    root = tmp_path_factory.mktemp("machines")
    (root / "plan.toml").write_text(PLAN_TEXT, encoding="utf-8")
    generate(root / "telemetry", conversations=60, seed=11, days=15, end=date(2026, 11, 1))
    assert Machine(root, "first").run(0, 1) == {"conversation_chunks": (2, 0)}
    assert Machine(root, "second").run(3, 2) == {"conversation_chunks": (2, 0)}
    return root


@pytest.fixture
def copied(world: Path, tmp_path: Path) -> Path:
    return shutil.copytree(world, tmp_path / "machines")


def test_each_machine_makes_its_share_and_either_goes_on_with_all(copied: Path) -> None:
    first, second = Machine(copied, "first"), Machine(copied, "second")
    assert first.run() == {
        "conversation_chunks": (0, 4),
        "conversations": (1, 0),
        "samples": (1, 0),
        "sample_artifacts": (1, 0),
        "sample_release": (1, 0),
    }
    assert first.watcher.done[:2] == [f"conversation_chunks {chunk}|{KEY}" for chunk in CHUNKS[2:]]
    [published] = (copied / "releases").glob("faulty_*")
    assert verify_release(open_release_store(str(published))).passed
    content = {path.name: path.read_bytes() for path in published.iterdir()}
    assert second.run()["conversation_chunks"] == (0, 4)
    assert list((copied / "releases").glob("faulty_*")) == [published]
    assert {path.name: path.read_bytes() for path in published.iterdir()} == content
    for machine in (first, second):
        assert {made for made, _ in machine.run().values()} == {0}


def test_a_machine_that_lost_its_instance_asks_for_nothing_again(copied: Path) -> None:
    first = Machine(copied, "first")
    shutil.rmtree(first.settings.dagster_home)
    assert first.chunks() == (0, 4)
    shutil.rmtree(first.settings.telemetry or copied)
    with pytest.raises(Refused, match="which does not exist"):
        first.chunks()


def test_what_was_taken_over_is_fresh_and_checked_in_the_instance(copied: Path) -> None:
    third, chunks = Machine(copied, "third"), dg.AssetKey("conversation_chunks")
    settings = third.settings
    definitions = assemble(settings)
    checks = [key for key in definitions.resolve_asset_graph().asset_check_keys if key.asset_key == chunks]
    with open_instance(settings) as instance:
        before = dg.evaluate_automation_conditions(definitions, instance)
    assert third.chunks() == (0, 4)
    with open_instance(settings) as instance:
        [record] = instance.fetch_materializations(chunks, limit=1).records
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
        after = dg.evaluate_automation_conditions(definitions, instance, cursor=before.cursor)
    assert record.asset_materialization
    metadata = record.asset_materialization.metadata
    table = third.tables.read(TableKey("conversation_chunks", KEY, CHUNKS[3]))
    assert (metadata["made elsewhere"].value, metadata["dagster/row_count"].value) == (True, table.height)
    assert len(latest) == len(checks) > 10
    assert {one.partition for one in latest.values()} == {f"{CHUNKS[3]}|{KEY}"}
    assert after.get_requested_partitions(dg.AssetKey("conversations")) == {KEY}
    third.watcher.done.clear()
    assert third.chunks() == (0, 4)
    assert third.watcher.done == []


def test_chunks_of_other_telemetry_are_not_taken_over(copied: Path) -> None:
    file = max(events_folder(copied / "telemetry").glob("*.parquet"))
    fewer = pl.read_parquet(file).head(-1)
    file.unlink()
    write_events(fewer, copied / "telemetry", part=99)
    assert Machine(copied, "third").chunks() == (4, 0)
    assert Machine(copied, "first").chunks() == (0, 4)


def test_chunks_of_another_code_version_are_not_taken_over(copied: Path) -> None:
    plan = Machine(copied, "third").settings.plan
    other = plan.model_copy(update={"sample": plan.sample.model_copy(update={"salt": "another"})})
    assert Machine(copied, "third").chunks(other) == (4, 0)


def cut(tables: TableStore, key: TableKey) -> None:
    path = Path(tables.uri(key))
    path.write_bytes(path.read_bytes()[:-100])


def scratched(tables: TableStore, key: TableKey) -> None:
    """The end of the file is whole: only who reads it all finds out."""
    path = Path(tables.uri(key))
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    path.write_bytes(content)


def without_a_row(tables: TableStore, key: TableKey) -> None:
    """A well-formed table that says it is what it was."""
    kept = {name: text for name, text in tables.notes(key).items() if not name.startswith("ARROW")}
    tables.write(key, tables.read(key).tail(-1), kept)


@pytest.mark.parametrize("asset", ["conversation_chunks", "rejected_conversations"])
def test_chunks_with_a_damaged_table_are_made_again_and_no_other(copied: Path, asset: str) -> None:
    third = Machine(copied, "third")
    keys = [TableKey(asset, KEY, chunk) for chunk in CHUNKS]
    whole = [third.tables.read(key) for key in keys]
    for key, damage in zip(keys, (cut, scratched, without_a_row), strict=False):
        damage(third.tables, key)
    assert third.chunks() == (3, 1)
    assert third.watcher.done[0] == f"conversation_chunks {CHUNKS[3]}|{KEY}"
    assert all(third.tables.read(key).equals(table) for key, table in zip(keys, whole, strict=True))


def test_a_chunk_that_breaks_a_rule_is_made_again(copied: Path) -> None:
    """Its version is right: the rule alone tells."""
    third = Machine(copied, "third")
    key = CHUNK._replace(part=CHUNKS[1])
    shutil.copy(third.tables.uri(CHUNK), third.tables.uri(key))
    assert third.chunks() == (1, 3)
    assert third.watcher.done[-1] == f"conversation_chunks {key.part}|{KEY}"


def test_a_chunk_whose_checks_were_begun_and_not_finished_is_checked_before_it_counts(copied: Path) -> None:
    """Regression: a run that was killed between table and checks left a partition that counted as finished."""
    third = Machine(copied, "third")
    definitions, settings = assemble(third.settings), third.settings
    partition = f"{CHUNKS[2]}|{KEY}"
    unreadable = resources(settings) | {"tables": TablesResource(base=str(copied / "elsewhere"))}
    unchecked = dg.Definitions(definitions.assets, asset_checks=definitions.asset_checks, resources=unreadable)
    chosen = [dg.AssetKey("conversation_chunks"), dg.AssetKey("rejected_conversations")]
    with open_instance(settings) as instance:
        job = unchecked.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(
            instance=instance, partition_key=partition, asset_selection=chosen, raise_on_error=False
        )
        assert not done.success
        assert instance.get_materialized_partitions(chosen[0]) == {partition}
    assert third.chunks() == (0, 4)
    check = dg.AssetCheckKey(chosen[0], "no_conversation_is_lost")
    with open_instance(settings) as instance:
        records = instance.event_log_storage.get_asset_check_execution_history(check, limit=9)
    assert AssetCheckExecutionRecordStatus.SUCCEEDED in {one.status for one in records if one.partition == partition}


@pytest.mark.parametrize("number", [4, 1000])
def test_a_chunk_that_the_plan_has_not_is_refused_with_those_it_has(world: Path, number: int) -> None:
    with pytest.raises(Refused, match=rf"plan faulty has no chunk {number}: its chunks are 0 to 3"):
        Machine(world, "first").run(0, number)
