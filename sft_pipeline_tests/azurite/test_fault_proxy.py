"""The proxy before the emulator: what it forwards arrives as it is, and each fault is what it says."""

from collections.abc import Iterator
from hashlib import md5

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ServiceResponseError
from azure.storage.blob import BlobBlock, ContainerClient, ContentSettings
from requests.exceptions import ChunkedEncodingError
from requests.exceptions import ConnectionError as RequestsConnectionError

from sft_pipeline_tests.azurite.fault_proxy import Proxied
from sft_pipeline_tests.azurite.fault_rules import Kind, Rule
from sft_pipeline_tests.azurite.fixtures import Container

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def impatient(proxy: Proxied, container: Container) -> Iterator[ContainerClient]:
    """A client through the proxy that never asks twice."""
    key = proxy.azurite.account_key
    with ContainerClient(proxy.azurite.account_url, container.name, credential=key, retry_total=0) as client:
        yield client


def test_what_it_forwards_arrives_as_it_is(proxy: Proxied, container: Container, impatient: ContainerClient):
    settings = ContentSettings("text/plain", content_md5=bytearray(md5(CONTENT, usedforsecurity=False).digest()))
    impatient.upload_blob("a folder/\u00e9t\u00e9", CONTENT, content_settings=settings, metadata={"note": "1"})
    there = container.client.get_blob_client("a folder/\u00e9t\u00e9").get_blob_properties()
    assert (there.size, there.metadata, there.content_settings.content_type) == (256_000, {"note": "1"}, "text/plain")
    assert impatient.get_blob_client("a folder/\u00e9t\u00e9").get_blob_properties().etag == there.etag
    assert impatient.download_blob("a folder/\u00e9t\u00e9").readall() == CONTENT
    assert list(impatient.list_blob_names()) == ["a folder/\u00e9t\u00e9"]
    (write,) = proxy.faults.writes
    assert write == ("PUT", f"/devstoreaccount1/{container.name}/a folder/\u00e9t\u00e9", "", len(CONTENT), "")
    assert [exchange.status for exchange in proxy.faults.journal] == [201, 200, 206, 200]
    assert proxy.faults.asked(lambda asked: asked.comp == "list")


def test_a_refusal_has_the_services_form_and_changes_nothing(
    proxy: Proxied, container: Container, impatient: ContainerClient
):
    proxy.faults.set(Rule("refused", status=503, code="ServerBusy", retry_after="7", times=None))
    with pytest.raises(HttpResponseError, match="ErrorCode:ServerBusy"):
        impatient.upload_blob("a", CONTENT)
    assert list(container.client.list_blob_names()) == []
    answer = requests.get(proxy.azurite.account_url, timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


@pytest.mark.parametrize(("kind", "stored"), [("reset", False), ("lost", True)])
def test_a_reset_is_before_or_after_the_service_has_done_it(
    proxy: Proxied, container: Container, impatient: ContainerClient, kind: Kind, stored: bool
):
    proxy.faults.set(Rule(kind, where=lambda asked: asked.method == "PUT"))
    with pytest.raises(ServiceResponseError):
        impatient.upload_blob("a", CONTENT)
    assert list(container.client.list_blob_names()) == ["a"] * stored
    assert [exchange.status for exchange in proxy.faults.journal] == [0]


def test_a_body_is_changed_on_its_way(proxy: Proxied, container: Container, impatient: ContainerClient):
    proxy.faults.set(Rule("corrupted", where=lambda asked: asked.comp == "block"))
    blob = impatient.get_blob_client("a")
    with pytest.raises(HttpResponseError, match="ErrorCode:Md5Mismatch"):
        blob.stage_block("0", CONTENT, validate_content=True)
    blob.stage_block("0", CONTENT, validate_content=True)
    blob.commit_block_list([BlobBlock("0")])
    proxy.faults.set(Rule("damaged", where=lambda asked: asked.method == "GET"))
    assert [a != b for a, b in zip(blob.download_blob().readall(), CONTENT, strict=True)].count(True) == 1
    assert container.client.download_blob("a").readall() == CONTENT


def test_an_answer_is_cut_in_its_middle(proxy: Proxied, container: Container):
    proxy.faults.set(Rule("cut"))
    address = f"{proxy.azurite.account_url}/{container.name}/a"
    with pytest.raises((ChunkedEncodingError, RequestsConnectionError), match=r"IncompleteRead|reset"):
        requests.get(address, timeout=10)
    assert b"<Code>" in requests.get(address, timeout=10).content


def test_a_rule_counts_its_own_requests_and_ends(proxy: Proxied, impatient: ContainerClient):
    moments: list[str] = []
    proxy.faults.set(
        Rule("refused", where=lambda asked: asked.path.endswith("/b"), nth=2, times=2),
        Rule(before=lambda: moments.append("before"), after=lambda: moments.append("after"), nth=3),
    )
    for _ in range(4):
        for name in ("a", "b"):
            blob = impatient.get_blob_client(name)
            try:
                blob.upload_blob(b"", overwrite=True)
            except HttpResponseError:
                moments.append("refused")
    assert moments == ["before", "after", "refused", "refused"]
    statuses = [exchange.status for exchange in proxy.faults.journal]
    assert statuses == [201, 201, 201, 503, 201, 503, 201, 201]
