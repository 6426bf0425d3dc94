"""Who may not enter, or finds nothing: refused in a sentence that names the place, the reason and what to do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.azurite.fault_proxy import Proxied
from sft_pipeline_tests.azurite.fault_rules import Rule
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite
from sft_pipeline_tests.clients.blob.store_world import entered, signature

Act = Callable[[BlobReleaseStore], object]
Shared = Callable[..., BlobReleaseStore]

OTHER_KEY = "bm90IHRoZSBrZXk="
ACTS: dict[str, Act] = {
    "put": lambda store: store.put("a.json", [b"content"]),
    "copy": lambda store: store.copy("b.json", "a.json"),
    "read": lambda store: list(store.read("a.json")),
    "find": lambda store: store.find("a.json"),
    "list": lambda store: store.list(""),
}
each_act = pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())


def refusal_of(act: Act, store: BlobReleaseStore, secret: str = "") -> Refused:
    """What a user is told: the place, never the secret, nor what caused it."""
    with pytest.raises(Refused) as refusal:
        act(store)
    told = f"{refusal.value.what}\n{refusal.value.remedy}\n{refusal.value!r}"
    assert store.url in refusal.value.what
    assert "sig=" not in told
    assert not secret or secret not in told
    assert refusal.value.__suppress_context__
    return refusal.value


@pytest.fixture
def shared(azurite: Azurite, container: Container) -> Iterator[Shared]:
    """Makes stores that are entered by a signature."""
    with ExitStack() as stack:

        def store_by(permissions: str = "racwl", *, hours: int = 1, of: str = "") -> BlobReleaseStore:
            secret = signature(azurite, of or container.name, permissions, hours=hours)
            return stack.enter_context(entered(azurite, container.name, entry="sas", secret=secret))

        yield store_by


@each_act
def test_a_container_that_is_not_there(azurite: Azurite, act: Act):
    with entered(azurite, "nothing-here") as store:
        refusal = refusal_of(act, store)
    assert "there is no container nothing-here" in refusal.what
    assert "az storage container create --account-name devstoreaccount1 --name nothing-here" in refusal.remedy


@each_act
def test_a_signature_that_is_expired(shared: Shared, act: Act):
    refusal = refusal_of(act, shared(hours=-1))
    assert "is expired or of another container" in refusal.what
    assert "AZURE_STORAGE_SAS_TOKEN" in refusal.remedy


@each_act
def test_a_signature_of_another_container(shared: Shared, act: Act):
    assert "is expired or of another container" in refusal_of(act, shared(of="another")).what


@pytest.mark.parametrize(("permissions", "act"), [("rl", "put"), ("acw", "list"), ("acw", "read"), ("rl", "copy")])
def test_a_signature_that_does_not_allow_it(shared: Shared, container: Container, permissions: str, act: str):
    container.client.upload_blob("releases/b.json", b"content")
    if act == "read":
        container.client.upload_blob("releases/a.json", b"content")
    refusal = refusal_of(ACTS[act], shared(permissions))
    assert "the shared access signature does not allow this" in refusal.what
    assert "read, add, create, write and list" in refusal.remedy


def test_a_signature_for_reading_is_enough_to_look(shared: Shared, container: Container):
    container.client.upload_blob("releases/a.json", b"content")
    store = shared("rl")
    assert store.list("") == ["a.json"]
    assert b"".join(store.read("a.json")) == b"content"
    assert store.find("a.json") is not None
    assert store.put("a.json", [b"content"]) == store.find("a.json")


@each_act
@pytest.mark.parametrize("key", [OTHER_KEY, "no base64!"])
def test_a_wrong_key(azurite: Azurite, container: Container, act: Act, key: str):
    with entered(azurite, container.name, secret=key) as store:
        refusal = refusal_of(act, store, key)
    assert "key" in refusal.what
    assert "Access keys" in refusal.remedy or "Allow storage account key access" in refusal.remedy


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AuthenticationFailed", "the account's key is not accepted"),
        (403, "AuthorizationFailure", "key is wrong, or the account does not let this machine in"),
        (403, "KeyBasedAuthenticationNotPermitted", "the account allows no keys"),
        (401, "NoAuthenticationInformation", "the account's key is not accepted"),
        (409, "ContainerBeingDeleted", "the container is being deleted"),
        (409, "BlobArchived", "the file lies in the archive tier"),
        (412, "LeaseIdMissing", "somebody holds a lease on it"),
        (404, "ContainerNotFound", "there is no container"),
        (400, "OutOfRangeInput", r"the service refused it (400 OutOfRangeInput)"),
        (429, "TooManyRequests", "the service is too busy or failing (429 TooManyRequests)"),
        (503, "ServerBusy", "the service is too busy or failing (503 ServerBusy)"),
        (507, "", "the service is too busy or failing (507"),
    ],
)
def test_what_a_service_refuses_is_told_in_other_words_than_its_own(
    proxy: Proxied, container: Container, status: int, code: str, told: str
):
    proxy.faults.set(Rule("refused", status=status, code=code, times=None))
    with entered(proxy.azurite, container.name) as store:
        for act in ACTS.values():
            refusal = refusal_of(act, store, proxy.azurite.account_key)
            assert told in refusal.what
            assert refusal.remedy
