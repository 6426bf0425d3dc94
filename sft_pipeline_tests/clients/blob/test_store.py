"""The contract of a release store on blobs: files by path, whole or not at all, that never change."""

from collections.abc import Callable, Iterator
from hashlib import md5, sha256

import pytest

from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline.clients.release_store import ReleaseConflict, StoredFile
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.azurite.fault_proxy import Proxied
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.clients.blob.store_world import LARGE, entered, is_block, is_commit, signature

ODD = "a folder/caf\u00e9 + 100%25 & \u65e5\u672c #1?.json"


@pytest.fixture(params=["key", "sas"])
def store(request: pytest.FixtureRequest, proxy: Proxied, container: Container) -> Iterator[BlobReleaseStore]:
    """A store through the proxy, whose journal tells what was asked."""
    secret = signature(proxy.azurite, container.name) if request.param == "sas" else ""
    with entered(proxy.azurite, container.name, "my releases", entry=request.param, secret=secret) as one:
        yield one


def stored(store: BlobReleaseStore, path: str, content: bytes) -> StoredFile:
    """What a store says of a file with this content, if it says the truth."""
    quoted = path if path != ODD else "a%20folder/caf%C3%A9%20%2B%20100%2525%20%26%20%E6%97%A5%E6%9C%AC%20%231%3F.json"
    digest = md5(content, usedforsecurity=False).hexdigest()
    return StoredFile(path, f"{store.url}/{quoted}", len(content), digest, sha256(content).hexdigest())


@pytest.mark.parametrize("path", ["a.json", "a/b/c.json", ODD])
@pytest.mark.parametrize("content", [b"", b"one line\n", b"\x00\xff" * 3_000_000], ids=["empty", "small", "6 MB"])
def test_what_is_put_is_found_and_read(store: BlobReleaseStore, path: str, content: bytes):
    assert store.find(path) is None
    put = store.put(path, [content[:1], b"", content[1:]])
    assert put == stored(store, path, content)
    assert store.find(path) == put
    assert b"".join(store.read(path)) == content
    assert store.list("") == [path]


def test_a_large_file_goes_in_blocks_and_comes_in_pieces(store: BlobReleaseStore, proxy: Proxied):
    put = store.put("large.json", (LARGE[at : at + 999_983] for at in range(0, len(LARGE), 999_983)))
    assert put == stored(store, "large.json", LARGE)
    assert sorted(asked.bytes for asked in proxy.faults.asked(is_block)) == [4 << 20, 8 << 20, 8 << 20]
    assert len(proxy.faults.asked(is_commit)) == 1
    pieces = list(store.read("large.json"))
    assert b"".join(pieces) == LARGE
    assert {len(piece) for piece in pieces} == {4 << 20}


def test_a_file_carries_its_hashes_and_the_number_of_its_records(store: BlobReleaseStore, container: Container):
    store.put("a.json", [b"1\n2\n"], records=lambda: 2)
    store.put("b.json", [b"{}"])
    records = container.client.get_blob_client("my releases/a.json").get_blob_properties()
    assert records.metadata == {"sha256": sha256(b"1\n2\n").hexdigest(), "records": "2"}
    assert bytes(records.content_settings.content_md5 or b"") == md5(b"1\n2\n", usedforsecurity=False).digest()
    assert records.content_settings.content_type == "application/x-ndjson"
    document = container.client.get_blob_client("my releases/b.json").get_blob_properties()
    assert document.metadata == {"sha256": sha256(b"{}").hexdigest()}
    assert document.content_settings.content_type == "application/json"


def test_the_same_bytes_again_are_done_without_sending_any(store: BlobReleaseStore, proxy: Proxied):
    first = store.put("large.json", [LARGE])
    proxy.faults.set()
    assert store.put("large.json", [LARGE]) == first
    assert proxy.faults.writes == []


def test_other_bytes_are_a_conflict_and_change_nothing(store: BlobReleaseStore, proxy: Proxied):
    store.put("a.json", [b"mine"])
    proxy.faults.set()
    with pytest.raises(ReleaseConflict, match=r"/a\.json is there with other content") as refusal:
        store.put("a.json", [b"yours"])
    assert "never change" in refusal.value.remedy
    assert proxy.faults.writes == []
    assert b"".join(store.read("a.json")) == b"mine"


def test_a_copy_is_the_same_file_under_another_name(store: BlobReleaseStore, container: Container):
    store.put("a.json", [LARGE], records=lambda: 7)
    assert store.copy("a.json", "b/c d.json").bytes == len(LARGE)
    assert store.find("b/c d.json") == stored(store, "b/c d.json", LARGE)._replace(url=f"{store.url}/b/c%20d.json")
    copy = container.client.get_blob_client("my releases/b/c d.json").get_blob_properties()
    assert copy.metadata == {"sha256": sha256(LARGE).hexdigest(), "records": "7"}
    assert b"".join(store.read("b/c d.json")) == LARGE


def test_a_copy_with_the_key_moves_no_bytes_through_this_machine(proxy: Proxied, container: Container):
    with entered(proxy.azurite, container.name) as store:
        store.put("a.json", [LARGE])
        proxy.faults.set()
        store.copy("a.json", "b.json")
        (write,) = proxy.faults.writes
        assert write.bytes == 0
        proxy.faults.set()
        store.copy("a.json", "b.json")
        assert proxy.faults.writes == []


def test_a_copy_is_made_on_the_terms_of_put(store: BlobReleaseStore):
    store.put("a.json", [b"mine"])
    store.put("b.json", [b"yours"])
    with pytest.raises(ReleaseConflict, match=r"/b\.json is there with other content"):
        store.copy("a.json", "b.json")
    with pytest.raises(Refused, match=r"/none\.json: there is no such file"):
        store.copy("none.json", "c.json")
    assert store.list("") == ["a.json", "b.json"]


def test_a_file_of_another_tool_is_hashed_when_it_is_looked_at(store: BlobReleaseStore, container: Container):
    container.client.upload_blob("my releases/theirs.json", b"content")
    assert store.find("theirs.json") == stored(store, "theirs.json", b"content")
    assert store.put("theirs.json", [b"content"]) == stored(store, "theirs.json", b"content")
    store.copy("theirs.json", "ours.json")
    assert store.find("ours.json") == stored(store, "ours.json", b"content")


def test_a_list_has_what_lies_below_and_nothing_beside(store: BlobReleaseStore, container: Container):
    for path in ("b/2", "b/1/x", "b", "bb/1", "a"):
        store.put(path, [b"x"])
    container.client.upload_blob("my releases 2/other", b"")
    container.client.upload_blob("other", b"")
    container.client.upload_blob("my releases/b/1/folder", b"", metadata={"hdi_isfolder": "true"})
    assert store.list("") == ["a", "b", "b/1/x", "b/2", "bb/1"]
    assert store.list("b") == store.list("b/") == ["b/1/x", "b/2"]
    assert store.list("none") == []


def test_blocks_that_nobody_committed_are_no_file(store: BlobReleaseStore, container: Container):
    container.client.get_blob_client("my releases/a.json").stage_block("0", b"half")
    assert store.find("a.json") is None
    assert store.list("") == []
    with pytest.raises(Refused, match="there is no such file"):
        list(store.read("a.json"))


@pytest.mark.parametrize("path", ["", "../a", "a/../b", "/a", "a/", "a//b", "./a", "a\\b", "a\nb", "a\x00b"])
def test_a_path_that_leads_out_of_the_store_is_refused(store: BlobReleaseStore, proxy: Proxied, path: str):
    store.put("a", [b"x"])
    before = len(proxy.faults.writes)
    acts: list[Callable[[], object]] = [
        lambda: store.find(path),
        lambda: store.put(path, [b"x"]),
        lambda: list(store.read(path)),
        lambda: store.copy("a", path),
        lambda: store.copy(path, "b"),
    ]
    for act in acts:
        with pytest.raises(Refused, match="is no path inside a store"):
            act()
    assert len(proxy.faults.writes) == before


def test_a_store_is_told_by_its_address_alone(store: BlobReleaseStore, proxy: Proxied, container: Container):
    assert store.url == f"{proxy.azurite.account_url}/{container.name}/my%20releases"
