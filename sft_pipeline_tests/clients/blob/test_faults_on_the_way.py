"""Requests that are refused, broken off, changed or lost: asked again, and the file is whole or not there."""

from base64 import b64encode
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from hashlib import md5, sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from time import sleep

import pytest
from azure.storage.blob import BlobLeaseClient, ExponentialRetry

from sft_pipeline.clients.blob import connecting
from sft_pipeline.clients.blob.addresses import blob_place
from sft_pipeline.clients.blob.connecting import Container as Entered
from sft_pipeline.clients.blob.connecting import blob_service, patient
from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline.clients.blob.uploading import ATTEMPTS, BLOCK_BYTES
from sft_pipeline.clients.release_store import PIECE_BYTES, ReleaseConflict
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.azurite.fault_proxy import Proxied
from sft_pipeline_tests.azurite.fault_rules import Asked, Kind, Rule, every
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.clients.blob.store_world import LARGE, entered, is_block, is_commit, is_download

TRANSIENT: tuple[Kind, ...] = ("refused", "reset", "lost")
KINDS: tuple[Kind, ...] = (*TRANSIENT, "cut")


@pytest.fixture
def store(proxy: Proxied, container: Container) -> Iterator[BlobReleaseStore]:
    with entered(proxy.azurite, container.name) as one:
        yield one


@contextmanager
def half_copied(status: str) -> Generator[Azurite]:
    """A service all of whose files are copies of this status, of the content that was wanted by what they say."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            said = {
                "Content-Length": "7",
                "Content-MD5": b64encode(md5(b"content", usedforsecurity=False).digest()).decode(),
            }
            told = {"x-ms-meta-sha256": sha256(b"content").hexdigest(), "x-ms-copy-status": status}
            for name, value in {**said, **told, "x-ms-blob-type": "BlockBlob", "ETag": '"1"'}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Azurite(f"http://127.0.0.1:{server.server_port}/devstoreaccount1")
        finally:
            server.shutdown()
            thread.join()


def is_write(asked: Asked) -> bool:
    return asked.is_write


def content_of(container: Container) -> bytes:
    """The file as the service has it, past the proxy."""
    return container.client.download_blob("releases/a.json").readall()


@pytest.mark.parametrize("kind", TRANSIENT)
@pytest.mark.parametrize("status", [500, 503])
def test_an_upload_survives_what_passes(
    store: BlobReleaseStore, proxy: Proxied, container: Container, kind: Kind, status: int
):
    code = "ServerBusy" if status == 503 else "InternalError"
    proxy.faults.set(
        Rule(kind, where=is_block, nth=2, times=2, status=status, code=code, retry_after="0"),
        Rule(kind, where=is_commit, times=2, status=status, code=code),
        Rule(kind, where=lambda asked: asked.method == "HEAD", status=status, code=code),
    )
    put = store.put("a.json", [LARGE])
    assert content_of(container) == LARGE
    assert store.find("a.json") == put
    assert len([exchange for exchange in proxy.faults.journal if exchange.fault == kind]) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_download_survives_what_passes(store: BlobReleaseStore, proxy: Proxied, kind: Kind):
    store.put("a.json", [LARGE])
    proxy.faults.set(Rule(kind, where=is_download, nth=2, times=2))
    assert b"".join(store.read("a.json")) == LARGE
    assert len([exchange for exchange in proxy.faults.journal if exchange.fault == kind]) == 2


def test_the_answer_to_the_commit_is_lost_and_the_file_is_ours(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    proxy.faults.set(Rule("lost", where=is_commit))
    put = store.put("a.json", [b"content"])
    assert [(exchange.fault, exchange.status) for exchange in proxy.faults.journal if is_commit(exchange.asked)] == [
        ("lost", 0),
        ("none", 409),
    ]
    assert store.find("a.json") == put
    assert content_of(container) == b"content"


def test_the_answer_to_a_copy_is_lost_and_the_copy_is_ours(store: BlobReleaseStore, proxy: Proxied):
    put = store.put("a.json", [b"content"])
    proxy.faults.set(Rule("lost", where=lambda asked: asked.is_write))
    assert store.copy("a.json", "b.json").sha256 == put.sha256
    assert b"".join(store.read("b.json")) == b"content"


@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_never_passes_is_refused_and_nothing_is_there(
    store: BlobReleaseStore, proxy: Proxied, container: Container, kind: Kind
):
    proxy.faults.set(Rule(kind, where=is_block, times=None))
    told = r"too busy or failing \(503 ServerBusy\)" if kind == "refused" else "does not answer"
    with pytest.raises(Refused, match=told) as refusal:
        store.put("a.json", [b"content"])
    assert "run again" in refusal.value.remedy
    assert "<" not in refusal.value.what
    assert list(container.client.list_blob_names()) == []


@pytest.mark.parametrize(("kind", "told"), [("refused", r"busy or failing \(503"), ("cut", "break off, again")])
def test_a_download_that_never_passes_is_refused(store: BlobReleaseStore, proxy: Proxied, kind: Kind, told: str):
    store.put("a.json", [b"content"])
    proxy.faults.set(Rule(kind, where=is_download, times=None))
    with pytest.raises(Refused, match=told):
        list(store.read("a.json"))


def test_a_service_that_is_not_there_is_refused(store: BlobReleaseStore, proxy: Proxied):
    proxy.faults.set(Rule("reset", where=every, times=None))
    with pytest.raises(Refused, match=r"http://127\.0\.0\.1:\d+/devstoreaccount1 does not answer"):
        store.find("a.json")


def quick(policy: ExponentialRetry) -> ExponentialRetry:
    """The same policy, which a test can wait for."""
    policy.initial_backoff = policy.random_jitter_range = 0
    policy.increment_base = 0
    return policy


def test_who_waits_for_a_service_is_told_so_in_one_line(
    proxy: Proxied, container: Container, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Blocks on their way say it once, and nothing when asking again once has helped."""
    monkeypatch.setattr(connecting, "patient", lambda: quick(patient()))
    monkeypatch.setattr(connecting, "SECONDS_BETWEEN_LINES", 60)
    place = blob_place(f"{proxy.azurite.account_url}/{container.name}/releases")
    with blob_service(place.account_url, proxy.azurite.account_key, "key") as service:
        store = BlobReleaseStore(Entered(service.get_container_client(container.name), place, "key"))
        proxy.faults.set(Rule("refused", where=is_block, times=1))
        store.put("passes.json", [b"content"])
        assert caplog.messages == []
        proxy.faults.set(Rule("refused", where=is_block, times=4))  # of three blocks, one meets two at least
        store.put("large.json", [LARGE])
    host = place.account_url.split("/")[2]
    assert caplog.messages == [f"{host} answers 503: asking again (2 of 5)"]


def test_a_block_that_was_changed_on_its_way_is_sent_again(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    proxy.faults.set(Rule("corrupted", where=is_block, nth=2))
    put = store.put("a.json", [LARGE])
    assert [exchange.status for exchange in proxy.faults.journal if is_block(exchange.asked)].count(400) == 1
    assert len(proxy.faults.asked(is_block)) == 4
    assert content_of(container) == LARGE
    assert store.find("a.json") == put


def test_a_commit_that_was_changed_on_its_way_makes_no_file(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    proxy.faults.set(Rule("corrupted", where=is_commit, times=None))
    with pytest.raises(Refused):
        store.put("a.json", [b"content"])
    assert list(container.client.list_blob_names()) == []
    proxy.faults.set()
    store.put("a.json", [b"content"])
    assert content_of(container) == b"content"


def test_blocks_that_are_always_changed_on_their_way_are_refused(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    proxy.faults.set(Rule("corrupted", where=is_block, times=None))
    with pytest.raises(Refused, match="bytes were changed on their way, again and again"):
        store.put("a.json", [b"content"])
    assert len(proxy.faults.asked(is_block)) == ATTEMPTS
    assert list(container.client.list_blob_names()) == []


def test_a_file_that_is_replaced_while_it_is_read_is_refused(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    store.put("a.json", [LARGE])
    blob = container.client.get_blob_client("releases/a.json")

    def replace() -> None:
        blob.upload_blob(LARGE[::-1], overwrite=True)

    proxy.faults.set(Rule(where=is_download, nth=3, before=replace))
    with pytest.raises(Refused, match=r"/a\.json: the file was replaced while it was read"):
        list(store.read("a.json"))


def test_a_lease_on_a_file_does_not_stop_who_finds_it_done(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    first = store.put("a.json", [b"content"])
    store.put("b.json", [b"content"])
    lease = BlobLeaseClient(container.client.get_blob_client("releases/a.json"))
    lease.acquire(15)
    try:
        proxy.faults.set()
        assert store.put("a.json", [b"content"]) == first
        assert store.copy("b.json", "a.json") == first
        assert proxy.faults.writes == []
        assert b"".join(store.read("a.json")) == b"content"
    finally:
        lease.release()


@pytest.mark.parametrize("same", [True, False])
def test_fault_45_of_two_that_put_one_name_at_a_time_one_makes_the_file(
    store: BlobReleaseStore, proxy: Proxied, container: Container, same: bool
):
    """Both look, find nothing and send their blocks; the other's commit is done before ours comes."""
    other = LARGE if same else LARGE[::-1]

    def win() -> None:
        store.put("a.json", [other])

    proxy.faults.set(Rule(where=is_commit, before=win))
    if same:
        assert store.put("a.json", [LARGE]) == store.find("a.json")
    else:
        with pytest.raises(ReleaseConflict, match=r"/a\.json is there with other content"):
            store.put("a.json", [LARGE])
    assert content_of(container) == other
    statuses = [exchange.status for exchange in proxy.faults.journal if is_commit(exchange.asked)]
    assert statuses == [409, 201] or statuses == [400, 201]


@pytest.mark.parametrize(
    ("status", "code"), [(412, "ConditionNotMet"), (412, "TargetConditionNotMet"), (403, "UnauthorizedBlobOverwrite")]
)
@pytest.mark.parametrize("act", ["put", "copy"])
def test_a_name_that_is_taken_meanwhile_is_known_by_each_of_the_services_words(
    store: BlobReleaseStore, proxy: Proxied, container: Container, act: str, status: int, code: str
):
    same = store.put("source.json", [b"content"])
    with entered(proxy.azurite, container.name) as another:

        def take() -> None:
            proxy.faults.set()
            another.put("a.json", [b"content"])

        proxy.faults.set(
            Rule("refused", where=is_commit if act == "put" else is_write, status=status, code=code, before=take)
        )
        made = store.put("a.json", [b"content"]) if act == "put" else store.copy("source.json", "a.json")
    assert made.sha256 == same.sha256
    assert b"".join(store.read("a.json")) == b"content"


def test_blocks_on_their_way_are_not_sent_again_when_the_upload_is_interrupted(store: BlobReleaseStore, proxy: Proxied):
    """Regression: Ctrl-C waited until the service had been asked six times, which takes minutes when it is silent."""

    def pieces() -> Iterator[bytes]:
        yield LARGE
        while not proxy.faults.asked(is_block):
            sleep(0.01)
        raise KeyboardInterrupt

    proxy.faults.set(Rule("refused", where=is_block, times=None, before=lambda: sleep(0.2)))
    with pytest.raises(KeyboardInterrupt):
        store.put("a.json", pieces())
    assert len(proxy.faults.asked(is_block)) <= len(LARGE) // BLOCK_BYTES


def test_ranges_on_their_way_are_not_asked_for_again_when_nobody_reads_on(store: BlobReleaseStore, proxy: Proxied):
    store.put("a.json", [LARGE])

    def is_later(asked: Asked) -> bool:
        return is_download(asked) and not asked.range.startswith("bytes=0-")

    proxy.faults.set(Rule("refused", where=is_later, times=None, before=lambda: sleep(0.5)))
    read = store.read("a.json")
    next(read)
    del read
    assert len(proxy.faults.asked(is_download)) <= 1 + len(LARGE) // PIECE_BYTES


@pytest.mark.parametrize("status", ["failed", "aborted"])
def test_a_copy_that_the_service_broke_off_is_no_file(status: str):
    """It has its source's hashes and metadata: taken by them, half a file would be released."""
    with half_copied(status) as server, entered(server, "container") as store:
        with pytest.raises(ReleaseConflict, match=r"/a\.json: the service broke off the copy"):
            store.find("a.json")
        with pytest.raises(ReleaseConflict, match="broke off the copy"):
            store.copy("source.json", "a.json")


def test_what_a_killed_run_had_sent_is_not_sent_again(store: BlobReleaseStore, proxy: Proxied, container: Container):
    proxy.faults.set(Rule("refused", where=is_commit, times=None))
    with pytest.raises(Refused):
        store.put("a.json", [LARGE])
    proxy.faults.set()
    store.put("a.json", [LARGE])
    assert proxy.faults.asked(is_block) == []
    assert content_of(container) == LARGE


def test_only_the_blocks_that_changed_are_sent_after_an_unfinished_upload(
    store: BlobReleaseStore, proxy: Proxied, container: Container
):
    proxy.faults.set(Rule("refused", where=is_commit, times=None))
    with pytest.raises(Refused):
        store.put("a.json", [LARGE])
    proxy.faults.set()
    other = LARGE[:-1] + b"!"
    store.put("a.json", [other])
    assert [asked.bytes for asked in proxy.faults.asked(is_block)] == [4 << 20]
    assert content_of(container) == other
