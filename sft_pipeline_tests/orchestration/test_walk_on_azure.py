"""A walk whose tables and releases lie in containers: what it makes is what a walk in folders makes."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest
from azure.storage.blob import ContainerClient

from sft_pipeline.clients.table_store import TableStore
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.resources import open_tables
from sft_pipeline.orchestration.settings import Settings, read_settings
from sft_pipeline_tests.azurite.fault_proxy import proxied
from sft_pipeline_tests.azurite.fault_rules import Rule
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.orchestration.walked_world import KEY, SMALL_PLAN, World
from sft_pipeline_tests.test_cli import COMMAND, environment

CONTENT = ("conversation_chunks", "rejected_conversations", "conversations", "samples")
"""Assets whose tables do not tell where releases lie."""


@dataclass(frozen=True)
class AzureWorld(World):
    """A world without tables and releases of its own: variables say where they lie."""

    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def settings(self) -> Settings:
        plan = self.root / "small.toml"
        plan.write_text(SMALL_PLAN, encoding="utf-8")
        home = {"SFT_HOME": str(self.root / "home"), "SFT_TELEMETRY": str(self.telemetry)}
        return read_settings({**home, **self.variables}, plan=str(plan))

    @property
    def tables(self) -> TableStore:
        return open_tables(self.settings.storage)

    def killed_at_its_third_table(self, azurite: Azurite) -> None:
        """Let the command walk, through a proxy, until the third table is on its way."""
        with proxied(azurite) as proxy:
            arrived, gone = Event(), Event()

            def hold() -> None:
                arrived.set()
                gone.wait(20)

            proxy.faults.set(
                Rule(where=lambda asked: asked.method == "PUT" and asked.path.endswith(".parquet"), nth=3, before=hold)
            )
            assert self.settings
            variables = {**environment(self), **self.variables, **proxy.azurite.environment}
            with subprocess.Popen([COMMAND, "run", "--window", KEY], env=variables, stdout=subprocess.DEVNULL) as run:
                assert arrived.wait(30)
                run.kill()
            gone.set()
            assert run.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def azure_world(walked: World, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureWorld]:
    """A home with the telemetry of the walked world; the container is there, nothing else."""
    variables = {
        **azurite.environment,
        "SFT_STORAGE": "az://walked-on-azure/tables",
        "SFT_RELEASES": f"{azurite.account_url}/walked-on-azure/releases",
    }
    world = AzureWorld(tmp_path_factory.mktemp("azure"), variables)
    world.telemetry.symlink_to(walked.telemetry)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in azurite.environment.items():
            patch.setenv(name, value)
        yield world


@pytest.fixture(scope="module")
def made(azure_world: AzureWorld, azurite: Azurite) -> dict[str, int]:
    """What a walk makes that goes on where a killed one stopped."""
    azure_world.killed_at_its_third_table(azurite)
    return azure_world.made()


def files(azurite: Azurite, folder: str) -> dict[str, bytes]:
    with ContainerClient(azurite.account_url, "walked-on-azure", credential=azurite.account_key) as client:
        names = list(client.list_blob_names(name_starts_with=f"{folder}/"))
        return {name.removeprefix(f"{folder}/"): client.download_blob(name).readall() for name in names}


def test_a_walk_goes_on_where_a_killed_one_stopped(made: dict[str, int], azure_world: AzureWorld) -> None:
    assert (made["conversation_chunks"], made["conversations"], made["sample_release"]) == (1, 1, 1)
    assert set(azure_world.made().values()) == {0}
    assert not (azure_world.root / "home" / "small" / "assets").exists()
    assert not (azure_world.root / "home" / "releases").exists()


@pytest.mark.parametrize("asset", CONTENT)
def test_tables_have_the_content_of_those_in_a_folder(
    made: dict[str, int], azure_world: AzureWorld, walked: World, asset: str
) -> None:
    keys = azure_world.tables.keys(asset)
    assert keys == walked.tables.keys(asset) != []
    for key in keys:
        assert azure_world.tables.notes(key)["version"] == walked.tables.notes(key)["version"]


def test_released_files_are_the_same_bytes_as_in_a_folder(
    made: dict[str, int], azure_world: AzureWorld, azurite: Azurite, walked: World
) -> None:
    name = str(azure_world.table("sample_release")["name"][0])
    released = files(azurite, f"releases/{name}")
    assert {path: content for path, content in released.items() if "/" in path} == walked.released_files()
    assert "metadata.json" in released


def test_a_place_that_cannot_be_worked_in_is_refused_before_anything_is_made(
    azure_world: AzureWorld, azurite: Azurite, tmp_path: Path
) -> None:
    with proxied(azurite) as proxy:
        proxy.faults.set(Rule("refused", times=None, status=403, code="AuthorizationPermissionMismatch"))
        there = {"SFT_RELEASES": f"{proxy.azurite.account_url}/walked-on-azure/releases"}
        barred = AzureWorld(tmp_path, {**azure_world.variables, **there})
        barred.telemetry.symlink_to(azure_world.telemetry)
        before = files(azurite, "tables")
        with pytest.raises(Refused, match="walked-on-azure/releases: the account's key is wrong"):
            barred.walk()
    assert files(azurite, "tables") == before
    assert not any((tmp_path / "home").rglob("*.parquet"))
