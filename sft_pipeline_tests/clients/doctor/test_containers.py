"""What the examination tells of tables and releases that lie in containers."""

from dataclasses import replace

import pytest

from sft_pipeline.clients.blob.addresses import BlobPlace
from sft_pipeline.clients.blob.credentials import BlobCredentials
from sft_pipeline.clients.doctor.setup import Setup
from sft_pipeline.orchestration.blob_accounts import open_container
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.clients.blob.store_world import signature
from sft_pipeline_tests.clients.doctor.examined import found, only_problem


@pytest.fixture
def remote(setup: Setup, azurite: Azurite, container: Container) -> Setup:
    """Tables and releases in one container, entered by the key."""
    return entered(setup, azurite, container.name)


def entered(setup: Setup, azurite: Azurite, container: str, sas: str = "") -> Setup:
    credentials = BlobCredentials(key="" if sas else azurite.account_key, sas=sas)
    places = {name: BlobPlace(azurite.account_url, container, name) for name in ("tables", "releases")}
    return replace(setup, containers={name: open_container(place, credentials) for name, place in places.items()})


def test_all_is_well_and_nothing_is_left_behind(remote: Setup, container: Container) -> None:
    findings = found(remote)
    for name in ("tables", "releases"):
        told = f"{container.url}/{name}: entered by the account's key, may be listed, read and written"
        assert (findings[name].state, findings[name].told) == ("ok", told)
    assert list(container.client.list_blobs(include=["uncommittedblobs"])) == []


def test_an_emulators_container_is_not_made(setup: Setup, azurite: Azurite) -> None:
    remote = entered(setup, azurite, "not-made-by-doctor")
    assert found(remote)["tables"].told.endswith("made when it is needed")
    assert not remote.containers["tables"].client.exists()


def test_a_signature_that_allows_too_little(setup: Setup, azurite: Azurite, container: Container) -> None:
    reading = entered(setup, azurite, container.name, signature(azurite, container.name, "rl")).containers
    broken = only_problem(replace(setup, containers={"releases": reading["releases"]}))
    assert broken.name == "releases"
    assert "does not allow this" in broken.told
    assert "sig=" not in str(broken)
