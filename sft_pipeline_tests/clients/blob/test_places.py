"""The look at a container before any work."""

from time import monotonic

import pytest

from sft_pipeline.clients.blob.addresses import BlobPlace
from sft_pipeline.clients.blob.connecting import Container as Entered
from sft_pipeline.clients.blob.connecting import blob_service
from sft_pipeline.clients.blob.credentials import BlobCredentials
from sft_pipeline.clients.blob.places import is_there, prepare_place
from sft_pipeline.curation.refusal import Refused
from sft_pipeline.orchestration.blob_accounts import open_container
from sft_pipeline_tests.azurite.fault_proxy import proxied
from sft_pipeline_tests.azurite.fault_rules import Rule
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.clients.blob.store_world import hasty, signature


def entered(azurite: Azurite, container: str, sas: str = "", prefix: str = "some/where") -> Entered:
    credentials = BlobCredentials(key="" if sas else azurite.account_key, sas=sas)
    return open_container(BlobPlace(azurite.account_url, container, prefix), credentials)


@pytest.mark.parametrize("prefix", ["", "some/where"])
def test_a_good_place_is_left_as_it_was(azurite: Azurite, container: Container, prefix: str) -> None:
    prepare_place(entered(azurite, container.name, prefix=prefix))
    assert list(container.client.list_blobs(include=["uncommittedblobs"])) == []


def test_a_place_is_told_after_three_requests_that_change_nothing(azurite: Azurite, container: Container) -> None:
    with proxied(azurite) as proxy:
        prepare_place(entered(proxy.azurite, container.name))
        asked = [(exchange.asked.method, exchange.asked.comp, exchange.status) for exchange in proxy.faults.journal]
    assert asked == [("GET", "list", 200), ("HEAD", "", 404), ("PUT", "block", 400)]


def test_an_emulators_container_is_made_and_looking_alone_makes_none(azurite: Azurite) -> None:
    container = entered(azurite, "made-when-needed")
    assert not is_there(container)
    assert not is_there(container)
    prepare_place(container)
    assert is_there(container)
    container.client.delete_container()


def test_a_container_that_is_missing_on_azure_is_refused_with_the_command_that_makes_it(azurite: Azurite) -> None:
    container = entered(azurite, "not-there")
    on_azure = Entered(container.client, BlobPlace("https://acc.blob.core.windows.net", "not-there", ""), "login")
    with pytest.raises(Refused, match="there is no container not-there") as refused:
        prepare_place(on_azure)
    assert "az storage container create --account-name acc --name not-there" in refused.value.remedy
    assert not container.client.exists()


@pytest.mark.parametrize("missing", ["r", "w", "l"])
def test_each_right_that_is_missing_is_refused(azurite: Azurite, container: Container, missing: str) -> None:
    sas = signature(azurite, container.name, "racwl".replace(missing, ""))
    with pytest.raises(Refused, match="signature does not allow this") as refused:
        prepare_place(entered(azurite, container.name, sas))
    assert "sig=" not in str(refused.value)
    prepare_place(entered(azurite, container.name, signature(azurite, container.name, "rwl")))


def test_who_is_logged_in_without_a_role_is_told_which(azurite: Azurite, container: Container) -> None:
    with proxied(azurite) as proxy:
        by_key = entered(proxy.azurite, container.name)
        proxy.faults.set(Rule("refused", times=None, status=403, code="AuthorizationPermissionMismatch"))
        with pytest.raises(Refused) as refused:
            prepare_place(Entered(by_key.client, by_key.place, "login"))
    assert "Storage Blob Data Contributor" in refused.value.remedy


def test_nobody_is_logged_in_is_told_once_and_at_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    nobody = open_container(BlobPlace("https://nobody0account.blob.core.windows.net", "con", ""), BlobCredentials())
    started = monotonic()
    with pytest.raises(Refused, match="the Azure login is not accepted, or there is none") as refused:
        prepare_place(nobody)
    assert "az login" in refused.value.remedy
    assert monotonic() - started < 2
    assert capfd.readouterr().err == ""


def test_a_service_that_is_busy_for_a_moment_is_asked_again(azurite: Azurite, container: Container) -> None:
    with (
        proxied(azurite) as proxy,
        blob_service(proxy.azurite.account_url, azurite.account_key, "key", hasty()) as service,
    ):
        proxy.faults.set(Rule("refused"), Rule("reset", where=lambda asked: asked.comp == "block"))
        place = BlobPlace(proxy.azurite.account_url, container.name, "")
        prepare_place(Entered(service.get_container_client(container.name), place, "key"))
        assert len(proxy.faults.journal) == 5
