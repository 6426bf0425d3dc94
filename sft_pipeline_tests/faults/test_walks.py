"""Whole walks against the service: the release of the embedded engine, or none. Numbers are those of the faults."""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from sft_pipeline.clients.queries.catalog import Query
from sft_pipeline.clients.release_store import open_release_store
from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.instance import open_instance
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline.orchestration.steps import walk_steps
from sft_pipeline.orchestration.walk import walk
from sft_pipeline_tests.faults.fault_world import (
    CANDIDATES,
    KEY,
    QUICK,
    WINDOW,
    FaultWorld,
    candidates_of,
)
from sft_pipeline_tests.orchestration.walked_world import Recorder
from sft_pipeline_tests.stand_in import Answers, Limits, Service, scripted, seeded, stand_in
from sft_pipeline_tests.stand_in.answers import Engine
from sft_pipeline_tests.stand_in.literals import Value

CHUNKS = ("0-of-4", "1-of-4", "2-of-4", "3-of-4")
NAMED = re.compile(r"chunk (\d)-of-4 of 2026-10-17 to 2026-11-01: ")
DOWNSTREAM = {"conversations": 0, "samples": 0, "sample_artifacts": 0, "sample_release": 0}


@dataclass(frozen=True)
class Home:
    """Where a plan is walked: its instance, tables and releases."""

    root: Path
    plan: Path

    def settings(self, source: Mapping[str, str]) -> Settings:
        """The settings of a user who has the telemetry there."""
        return read_settings({**source, "SFT_HOME": str(self.root)}, plan=str(self.plan))

    def walk(self, source: Mapping[str, str], until: str | None = None) -> dict[str, int]:
        """Walk the window and count what was made."""
        settings = self.settings(source)
        with open_instance(settings) as instance:
            done = walk(settings, instance, walk_steps(settings.plan, WINDOW, until), Recorder())
        return {step.step.asset: step.made for step in done}

    def refusal(self, source: Mapping[str, str]) -> Refused | None:
        """Walk the window; how it was refused, if it was."""
        try:
            self.walk(source)
        except Refused as refused:
            return refused
        return None

    @property
    def tables(self) -> TableStore:
        """The asset tables."""
        return TableStore(str(self.root / "faulty" / "assets"))

    def stored(self) -> list[str]:
        """The chunks that are there."""
        return [key.part for key in self.tables.keys("conversation_chunks")]

    def files(self) -> dict[str, bytes]:
        """The data files of the releases, by path."""
        return {path.name: path.read_bytes() for path in (self.root / "releases").glob("faulty_*/*_turns.json")}

    def releases(self) -> list[str]:
        """The releases that are whole."""
        return [str(path.parent) for path in (self.root / "releases").glob("faulty_*/metadata.json")]


@pytest.fixture(scope="module", autouse=True)
def quick_retries() -> Iterator[None]:
    """The client that the walk makes is as patient as in production, in milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sft_pipeline.clients.kusto.cluster.Retries", lambda: QUICK)
        yield


@pytest.fixture(scope="module")
def embedded(world: FaultWorld, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The walk on the embedded engine, without any service."""
    home = Home(tmp_path_factory.mktemp("embedded"), world.plan_path)
    home.walk({"SFT_TELEMETRY": str(world.telemetry)})
    return home


@pytest.fixture(scope="module")
def served(world: FaultWorld, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The walk on a service that is well."""
    home = Home(tmp_path_factory.mktemp("served"), world.plan_path)
    with stand_in(world.answers) as service:
        home.walk(service.settings)
        assert service.slots.highest <= 5
        assert {entry.status for entry in service.journal} == {200}
    return home


def test_a_walk_against_the_service_releases_the_bytes_of_the_embedded_engine(embedded: Home, served: Home) -> None:
    assert list(served.files()) == ["short_3_to_5_turns.json"]
    assert served.files() == embedded.files()
    [release] = served.releases()
    assert verify_release(open_release_store(release)).passed
    for chunk in CHUNKS:
        key = TableKey("conversation_chunks", KEY, chunk)
        assert served.tables.read(key).equals(embedded.tables.read(key))


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_a_walk_with_faults_ends_in_the_same_bytes_or_names_the_chunk(
    world: FaultWorld, embedded: Home, tmp_path: Path, seed: int
) -> None:
    """What was refused is made when the service is well again, and nothing else is asked for."""
    home, faults = Home(tmp_path, world.plan_path), seeded(seed, probability=0.3)
    with stand_in(world.answers, Limits(queue_seconds=0.01, retry_after=0.001), faults=faults) as service:
        refused = home.refusal(service.settings)
        assert {entry.fault for entry in service.journal} > {None}
        if refused:
            assert NAMED.search(refused.what)
            assert home.releases() == []
            missing = set(CHUNKS) - set(home.stored())
            assert missing
            service.faults = scripted()
            assert home.walk(service.settings)["conversation_chunks"] == len(missing)
    assert home.files() == embedded.files()


def test_fault_12_a_chunk_that_timed_out_tells_its_parts_in_its_metadata(world: FaultWorld, tmp_path: Path) -> None:
    """As one that was too large (10) does. It takes 800 s by the service's clock, of 600 that it allows."""

    def seconds(given: Mapping[str, Value]) -> float:
        return 3200 / int(str(given["chunkCount"])) if "maxTurns" in given else 1

    home = Home(tmp_path, world.plan_path)
    with stand_in(world.answers, Limits(seconds=seconds, longest_seconds=600, scale=0)) as service:
        settings = home.settings(service.settings)
        [chunks] = walk_steps(settings.plan, WINDOW, "conversation_chunks")
        with open_instance(settings) as instance:
            walk(settings, instance, [chunks._replace(partitions=chunks.partitions[2:3])], Recorder())
            [record] = instance.fetch_materializations(dg.AssetKey("conversation_chunks"), limit=1).records
    assert record.asset_materialization
    metadata = record.asset_materialization.metadata
    assert (metadata["queries"].value, metadata["asked for"].value) == (2, "2-of-8, 6-of-8")
    notes = home.tables.notes(TableKey("conversation_chunks", KEY, "2-of-4"))
    assert notes["version"] == world.truth[2][0]


def test_fault_17_a_chunk_that_never_succeeds_is_named_and_the_others_are_kept(
    world: FaultWorld, tmp_path: Path
) -> None:
    home = Home(tmp_path, world.plan_path)
    with stand_in(world.answers, faults=scripted("unavailable", where=candidates_of(2), repeat=True)) as service:
        refused = home.refusal(service.settings)
        assert refused is not None
        assert NAMED.findall(refused.what) == ["2"]
        assert "run again" in refused.remedy
        assert home.stored() == ["0-of-4", "1-of-4", "3-of-4"]
        assert home.releases() == []
        service.faults, before = scripted(), len(service.journal)
        assert home.walk(service.settings, "conversation_chunks") == {"conversation_chunks": 1}
        assert {int(str(entry.parameters["chunk"])) % 4 for entry in list(service.journal)[before:]} == {2}
    for number, chunk in enumerate(CHUNKS):
        assert home.tables.notes(TableKey("conversation_chunks", KEY, chunk))["version"] == world.truth[number][0]


@dataclass(frozen=True)
class Shuffled:
    """An engine that answers in another order every time."""

    engine: Engine
    database: str = "shuffled"

    def execute(self, query: Query, parameters: Mapping[str, Value]) -> pl.DataFrame:
        """The same rows."""
        rows = self.engine.execute(query, parameters)
        return rows.sample(fraction=1, shuffle=True, seed=3) if query.sha256 == CANDIDATES.sha256 else rows


def test_fault_18_chunks_fetched_again_from_elsewhere_change_nothing(
    world: FaultWorld, served: Home, tmp_path: Path
) -> None:
    shutil.copytree(served.root, tmp_path / "home")
    home = Home(tmp_path / "home", world.plan_path)
    with stand_in(Answers(Shuffled(world.scan), tmp_path)) as service:
        assert home.walk(service.settings) == {"conversation_chunks": 4, **DOWNSTREAM}
        assert len([entry for entry in service.journal if candidates_of(0, 1)(entry.asked)]) == 4
    assert home.files() == served.files()


def test_settings_point_to_the_service(service: Service, world: FaultWorld, tmp_path: Path) -> None:
    settings = Home(tmp_path, world.plan_path).settings(service.settings)
    assert (settings.cluster, settings.database, settings.auth) == (service.url, service.database, "none")
