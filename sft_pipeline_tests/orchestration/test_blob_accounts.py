"""Accounts of Azure Blob Storage as dagster-azure's resource sees them, and the stores that addresses mean."""

from pathlib import Path

import pytest
from azure.core.credentials import AzureSasCredential
from azure.identity import DefaultAzureCredential

from sft_pipeline.clients.blob.addresses import blob_place
from sft_pipeline.clients.blob.credentials import BlobCredentials
from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.assembly import resources
from sft_pipeline.orchestration.blob_accounts import open_container
from sft_pipeline.orchestration.resources import open_releases
from sft_pipeline.orchestration.settings import read_settings
from sft_pipeline_tests.azurite.server import Azurite

ADDRESS = "https://account.blob.core.windows.net/container/experiments/v4"
PLACE = blob_place(ADDRESS)


def test_a_key_enters_before_the_login():
    container = open_container(PLACE, BlobCredentials("account", key="a2V5"))
    assert (container.entry, container.client.credential.account_name) == ("key", "account")


def test_a_key_signs_by_the_accounts_name_at_a_domain_of_its_own():
    own = BlobCredentials("account", "https://blobs.example.com", key="a2V5")
    container = open_container(blob_place("https://blobs.example.com/container"), own)
    assert container.client.credential.account_name == "account"


def test_a_signature_stays_out_of_the_clients_addresses():
    container = open_container(PLACE, BlobCredentials("account", sas="sv=2026&sig=secret"))
    assert container.entry == "sas"
    assert isinstance(container.client.credential, AzureSasCredential)
    assert "secret" not in container.client.url
    assert "secret" not in container.client.get_blob_client("a").url


def test_without_credentials_the_azure_login_counts():
    container = open_container(PLACE, BlobCredentials("account"))
    assert container.entry == "login"
    assert isinstance(container.client.credential, DefaultAzureCredential)


def test_a_container_is_connected_to_once_per_process():
    credentials = BlobCredentials("account", key="a2V5")
    assert open_container(PLACE, credentials) is open_container(PLACE, credentials)


def test_all_places_of_an_account_share_its_connections_and_its_login():
    """Regression: each release that was verified kept connections of its own, up to the process's last file handle."""
    credentials = BlobCredentials("account")
    one, other = (open_container(PLACE._replace(prefix=f"releases/{name}"), credentials) for name in ("a", "b"))
    assert (one.place.prefix, other.place.prefix) == ("releases/a", "releases/b")
    assert one.client.credential is other.client.credential
    elsewhere = open_container(PLACE._replace(account_url="https://another.blob.core.windows.net"), credentials)
    assert elsewhere.client.credential is not one.client.credential


def test_an_address_opens_the_store_of_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    store = open_releases(ADDRESS)
    assert isinstance(store, BlobReleaseStore)
    assert store.url == ADDRESS
    assert isinstance(open_releases(str(tmp_path)), LocalReleaseStore)


def test_a_signed_address_is_taken_where_a_person_names_it_and_nowhere_else(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    store = open_releases(f"{ADDRESS}?sv=2026&sig=secret", signed=True)
    assert store.url == ADDRESS
    with pytest.raises(Refused, match="carries a signature") as refused:
        open_releases(f"{ADDRESS}?sv=2026&sig=secret")
    assert "secret" not in str(refused.value)


def test_no_resource_holds_a_credential(azurite: Azurite, tmp_path: Path):
    settings = read_settings(
        {
            "SFT_HOME": str(tmp_path),
            "SFT_RELEASES": f"{azurite.account_url}/releases",
            "SFT_STORAGE": "az://tables/demo",
            **azurite.environment,
        },
        plan="demo",
    )
    assert azurite.account_key not in f"{settings!r}"
    assert azurite.account_key not in f"{resources(settings)!r}"
