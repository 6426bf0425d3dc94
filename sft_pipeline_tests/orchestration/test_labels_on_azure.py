"""Labels, training sets and SFT files whose places are containers are those of a walk in folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.clients.verification import verify_release
from sft_pipeline.curation.router_tables import SftArtifact
from sft_pipeline.curation.routers import ROUTERS
from sft_pipeline.orchestration.resources import open_releases, open_tables
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.orchestration.labelled_world import LABELLED_PLAN, LabelledWorld
from sft_pipeline_tests.orchestration.walked_world import KEY, World

FILE = ["path", "records", "label0", "label1", "bytes", "sha256", "trainingVersion"]


class AzureLabelledWorld(LabelledWorld):
    """A world whose tables lie in a container."""

    @property
    def tables(self) -> TableStore:
        return open_tables(self.settings.storage)


@pytest.fixture(scope="module")
def on_azure(walked: World, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureLabelledWorld]:
    """Walked to the SFT release; the label store lies beside the tables."""
    places = {
        **azurite.environment,
        "SFT_STORAGE": "az://labels-on-azure/tables",
        "SFT_RELEASES": f"{azurite.account_url}/labels-on-azure/releases",
    }
    world = AzureLabelledWorld(tmp_path_factory.mktemp("azure"), LABELLED_PLAN, places)
    world.telemetry.symlink_to(walked.telemetry)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in azurite.environment.items():
            patch.setenv(name, value)
        world.walk()
        yield world


def variants(world: LabelledWorld) -> list[tuple[str, str]]:
    assert world.settings.plan.routers
    return [(router, variant.key) for router in ROUTERS for variant in world.settings.plan.routers.variants]


def test_the_files_have_the_bytes_of_files_in_folders(on_azure: AzureLabelledWorld, labelled: LabelledWorld) -> None:
    assert set(FILE) <= set(SftArtifact.columns())
    for router, variant in variants(labelled):
        key = TableKey(f"{router}/sft_artifacts", KEY, variant)
        assert on_azure.tables.read(key).select(FILE).equals(labelled.tables.read(key).select(FILE)), key


def test_the_release_is_proved_by_its_address(on_azure: AzureLabelledWorld) -> None:
    release = on_azure.table("sft_release").row(0, named=True)
    assert release["url"].startswith("http://")
    assert verify_release(open_releases(release["url"])).passed


def test_verdicts_lie_beside_the_tables_and_are_not_asked_for_again(on_azure: AzureLabelledWorld) -> None:
    assert on_azure.settings.labels == "az://labels-on-azure/tables/label-store"
    assert not (Path(on_azure.settings.home) / "label-store").exists()
    assert set(on_azure.made().values()) == {0}
