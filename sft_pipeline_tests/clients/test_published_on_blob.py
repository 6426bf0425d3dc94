"""What lists, compares and looks up releases works in Azure Blob Storage as in a folder."""

from pathlib import Path

import pytest

from sft_pipeline.clients.lookup import look_up
from sft_pipeline.clients.published import last_sft_release, list_published, prove
from sft_pipeline.clients.publishing import publish
from sft_pipeline.clients.release_store import LocalReleaseStore
from sft_pipeline.clients.released_lines import open_release, read_placed
from sft_pipeline.commands.places import open_beside, open_named_release
from sft_pipeline.orchestration.resources import open_releases
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.clients.test_published import untold
from sft_pipeline_tests.labelling_world import NAME as SFT_NAME
from sft_pipeline_tests.labelling_world import labelling_of
from sft_pipeline_tests.records_world import MOMENT, NAME, SMALL, curation_of, samples_of

SAMPLES = samples_of(SMALL)


def test_a_release_is_listed_verified_read_and_looked_into(
    azurite: Azurite, container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in azurite.environment.items():
        monkeypatch.setenv(name, value)
    address = f"{container.url}/some/folder"
    store, local = open_releases(address), LocalReleaseStore(tmp_path)
    for one in (store, local):
        publish(one, curation_of(one, SMALL, SAMPLES), moment=MOMENT)
    (listed,), (there,) = list_published(store), list_published(local)
    assert (listed.name, listed.url, listed.state) == (NAME, f"{address}/{NAME}", "complete")
    assert (listed.records, listed.splits, listed.window) == (there.records, there.splits, there.window)
    assert prove(listed, open_beside(listed.url, address), untold).state == "verified"
    monkeypatch.setenv("SFT_RELEASES", address)
    release, same = open_release(open_named_release(NAME)), open_release(LocalReleaseStore(tmp_path / NAME))
    assert read_placed(release, untold).rows.equals(read_placed(same, untold).rows)
    for conversation_id in (SAMPLES["val-long"]["conversationId"][0], "a", "unknown"):
        assert list(look_up(conversation_id, release, untold)) == list(look_up(conversation_id, same, untold))


def test_an_sft_release_is_published_found_and_verified(
    azurite: Azurite, container: Container, monkeypatch: pytest.MonkeyPatch
):
    for name, value in azurite.environment.items():
        monkeypatch.setenv(name, value)
    store = open_releases(container.url)
    labelling = labelling_of(store)
    assert publish(store, labelling, moment=MOMENT).name == SFT_NAME
    assert publish(store, labelling, moment=MOMENT).already_there
    (listed,) = list_published(store)
    assert (listed.state, listed.kind, listed.records) == ("complete", "sft", 160)
    assert prove(listed, open_beside(listed.url, container.url), untold).state == "verified"
    last = last_sft_release(store, "test")
    assert last
    assert last.curation_info.curation_id == SFT_NAME


def test_a_publication_without_metadata_is_unfinished(
    azurite: Azurite, container: Container, monkeypatch: pytest.MonkeyPatch
):
    for name, value in azurite.environment.items():
        monkeypatch.setenv(name, value)
    store = open_releases(container.url)
    publish(store, curation_of(store, SMALL, SAMPLES), moment=MOMENT)
    container.client.delete_blob(f"{NAME}/metadata.json")
    (listed,) = list_published(store)
    assert (listed.name, listed.state) == (NAME, "unfinished")
    assert "run again" in listed.detail
