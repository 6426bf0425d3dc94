"""A release in a container: as in a folder, of racing publishers one commits, and damage is found by who verifies."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from azure.storage.blob import BlobBlock

from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline.clients.release_store import ReleaseConflict
from sft_pipeline.clients.verification import Verification, verify_release
from sft_pipeline.curation.release import METADATA
from sft_pipeline_tests.azurite.fault_proxy import Proxied
from sft_pipeline_tests.azurite.fault_rules import Asked, Rule
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.clients.blob.publisher import publish_small, uploaded
from sft_pipeline_tests.clients.blob.store_world import entered, is_commit, signature


@pytest.fixture
def store(proxy: Proxied, container: Container) -> Iterator[BlobReleaseStore]:
    with entered(proxy.azurite, container.name) as one:
        yield one


def verified(proxy: Proxied, container: Container, name: str) -> Verification:
    with entered(proxy.azurite, container.name, f"releases/{name}") as release:
        return verify_release(release)


def is_commit_of_metadata(asked: Asked) -> bool:
    return is_commit(asked) and asked.path.endswith(METADATA)


def test_a_release_is_published_whole_and_metadata_last(store: BlobReleaseStore, proxy: Proxied, container: Container):
    published = publish_small(store, "run-1")
    assert published.url == f"{store.url}/{published.name}"
    assert sorted(file.path for file in published.files) == store.list(published.name)
    assert all(store.find(file.path) == file for file in published.files)
    assert proxy.faults.writes[-1].path.endswith(f"{published.name}/{METADATA}")
    assert verified(proxy, container, published.name).passed


def test_by_a_signature_too(proxy: Proxied, container: Container):
    secret = signature(proxy.azurite, container.name)
    with entered(proxy.azurite, container.name, entry="sas", secret=secret) as store:
        published = publish_small(store, "run-1")
    assert verified(proxy, container, published.name).passed


def test_publishing_again_writes_nothing(store: BlobReleaseStore, proxy: Proxied):
    first = publish_small(store, "run-1")
    proxy.faults.set()
    again = publish_small(store, "run-2")
    assert again.already_there
    assert set(again.files) == set(first.files)
    assert proxy.faults.writes == []


@pytest.mark.parametrize("attempt", range(3))
def test_fault_45_of_two_publishers_one_commits_and_the_other_is_told_which(
    store: BlobReleaseStore, proxy: Proxied, container: Container, attempt: int
):
    uploaded(store)
    both = Barrier(2, timeout=20)

    def together() -> None:
        both.wait()

    proxy.faults.set(Rule(where=is_commit_of_metadata, times=2, before=together))
    with ThreadPoolExecutor(2) as pool:
        runs = {run: pool.submit(publish_small, store, run) for run in ("run-a", "run-b")}
    (winner,) = [run for run, outcome in runs.items() if outcome.exception() is None]
    (loser,) = runs.keys() - {winner}
    published = runs[winner].result()
    refusal = runs[loser].exception()
    assert isinstance(refusal, ReleaseConflict)
    assert f"was published by run {winner} while run {loser} was at it" in refusal.what
    metadata = json.loads(b"".join(store.read(f"{published.name}/{METADATA}")))
    assert metadata["curation_info"]["run_id"] == winner
    assert verified(proxy, container, published.name).passed
    assert publish_small(store, loser).already_there


def test_fault_47_a_bit_that_flipped_in_a_published_file_is_found_with_file_and_hash(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    name = publish_small(store, "run-1").name
    path = next(path for path in store.list(name) if "/val/" in path)
    told = store.find(path)
    assert told is not None
    blob = container.client.get_blob_client(f"releases/{path}")
    before, content = blob.get_blob_properties(), bytearray(blob.download_blob().readall())
    content[len(content) // 2] ^= 1
    blob.stage_block("0", bytes(content))
    blob.commit_block_list([BlobBlock("0")], before.content_settings, before.metadata)
    assert store.find(path) == told, "the blob still says of itself what it said"
    failed = [finding for finding in verified(proxy, container, name).findings if not finding.passed]
    assert failed
    (about_bytes,) = [finding for finding in failed if told.sha256 in finding.detail or told.md5 in finding.detail]
    assert path.removeprefix(f"{name}/") in about_bytes.detail


def test_a_file_that_was_damaged_on_its_way_to_who_verifies_fails(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    name = publish_small(store, "run-1").name
    proxy.faults.set(Rule("damaged", where=lambda asked: asked.method == "GET" and "short" in asked.path))
    assert not verified(proxy, container, name).passed
    proxy.faults.set()
    assert verified(proxy, container, name).passed
