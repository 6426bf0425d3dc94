"""Addresses in Azure Blob Storage: what each form means, and what is refused before anything is asked."""

import pytest

from sft_pipeline.clients.blob.addresses import BlobPlace, blob_place, is_blob_address, without_signature
from sft_pipeline.curation.refusal import Refused

ACCOUNT = "https://mydata.blob.core.windows.net"
EMULATOR = "http://127.0.0.1:10000/devstoreaccount1"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (f"{ACCOUNT}/releases", BlobPlace(ACCOUNT, "releases", "")),
        (f"{ACCOUNT}/releases/", BlobPlace(ACCOUNT, "releases", "")),
        (f"{ACCOUNT}/releases/a/b/", BlobPlace(ACCOUNT, "releases", "a/b")),
        (f"{ACCOUNT}/releases//a", BlobPlace(ACCOUNT, "releases", "a")),
        (f"{ACCOUNT}/releases/caf%C3%A9 x", BlobPlace(ACCOUNT, "releases", "caf\u00e9 x")),
        (f"{ACCOUNT}/$web/a", BlobPlace(ACCOUNT, "$web", "a")),
        (f"{EMULATOR}/releases/a", BlobPlace(EMULATOR, "releases", "a")),
        ("http://[::1]:10000/one/releases", BlobPlace("http://[::1]:10000/one", "releases", "")),
        ("http://azurite:10000/one/releases", BlobPlace("http://azurite:10000/one", "releases", "")),
        (
            "https://mydata.privatelink.example/releases",
            BlobPlace("https://mydata.privatelink.example", "releases", ""),
        ),
    ],
)
def test_an_address_names_account_container_and_folder(address: str, place: BlobPlace):
    assert blob_place(address) == place
    assert blob_place(place.url) == place
    assert is_blob_address(address)


def test_an_address_is_told_as_it_is_asked_for():
    assert blob_place(f"{ACCOUNT}/releases/caf\u00e9 x").url == f"{ACCOUNT}/releases/caf%C3%A9%20x"
    assert blob_place(f"{ACCOUNT}/releases/").url == f"{ACCOUNT}/releases"


@pytest.mark.parametrize(
    ("account", "emulated"),
    [(ACCOUNT, False), ("https://mydata.example", False), (EMULATOR, True), ("http://azurite:10000/one", True)],
)
def test_an_emulator_is_known_by_its_host(account: str, emulated: bool):
    assert blob_place(f"{account}/releases").is_emulated == emulated


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (ACCOUNT, "names no container"),
        (EMULATOR, "names no container"),
        ("https:///releases/a", "is not an address of Azure Blob Storage"),
        ("http://mydata.blob.core.windows.net/releases", "is not an address of Azure Blob Storage"),
        ("https://[::1/releases", "is none that a browser would take"),
        (f"{ACCOUNT}:port/releases", "is none that a browser would take"),
        (f"{ACCOUNT}/Releases", "'Releases' is no name of a container"),
        (f"{ACCOUNT}/ab", "'ab' is no name of a container"),
        (f"{ACCOUNT}/a--b", "'a--b' is no name of a container"),
        (f"{ACCOUNT}/{'a' * 64}", "is no name of a container"),
        (f"{ACCOUNT}/releases/../other", r"'\.\./other' is no path inside a store"),
        (f"{ACCOUNT}/releases/a%2F..%2Fb", r"'a/\.\./b' is no path inside a store"),
        (f"{ACCOUNT}/releases/a%5Cb", "is no path inside a store"),
        (f"{ACCOUNT}/releases/a%0Ab", "is no path inside a store"),
    ],
)
def test_what_is_no_folder_of_a_container_is_refused(address: str, reason: str):
    with pytest.raises(Refused, match=reason) as refusal:
        blob_place(address)
    assert refusal.value.remedy


@pytest.mark.parametrize(
    "address",
    [
        f"{ACCOUNT}/releases?sv=2024-11-04&sig=S3cr3t",
        "https://me:S3cr3t@mydata.blob.core.windows.net/releases",
        "https://:S3cr3t@mydata.blob.core.windows.net/releases",
        f"{ACCOUNT}/releases#sig=S3cr3t",
    ],
)
def test_fault_50_an_address_with_a_secret_is_refused_without_telling_it(address: str):
    with pytest.raises(Refused, match="carries a signature or a password") as refusal:
        blob_place(address)
    assert "S3cr3t" not in str(refusal.value) + refusal.value.what + refusal.value.remedy
    assert "AZURE_STORAGE_SAS_TOKEN" in refusal.value.remedy


def test_a_signature_is_taken_off_an_address():
    assert without_signature(f"{ACCOUNT}/releases/a?sv=1&sig=S3cr3t") == (f"{ACCOUNT}/releases/a", "sv=1&sig=S3cr3t")
    assert without_signature(f"{ACCOUNT}/releases/a") == (f"{ACCOUNT}/releases/a", "")


@pytest.mark.parametrize("address", ["/a/folder", "releases", "file:///a", "az://container/a", "C:/releases"])
def test_a_folder_is_no_address_of_a_container(address: str):
    assert not is_blob_address(address)
