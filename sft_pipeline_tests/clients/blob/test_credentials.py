"""Who enters Azure Blob Storage: which variable counts, what Polars is told, and what is never shown."""

from datetime import UTC, datetime

import polars as pl
import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from sft_pipeline.clients.blob.addresses import BlobPlace, blob_place
from sft_pipeline.clients.blob.credentials import (
    BlobCredentials,
    read_credentials,
    require_account,
    table_options,
    tables_place,
)
from sft_pipeline.curation.refusal import Refused
from sft_pipeline_tests.azurite.fixtures import Container
from sft_pipeline_tests.azurite.server import Azurite

KEY = "c2VjcmV0LWtleQ=="
SAS = "sv=2024-11-04&sp=rl&sig=S3cr3t%3D"
TABLES = "az://tables/demo"


def of_connection_string(told: str) -> BlobCredentials:
    return read_credentials({"AZURE_STORAGE_CONNECTION_STRING": told})


@pytest.mark.parametrize(
    ("told", "url", "name"),
    [
        (f"AccountName=mydata;AccountKey={KEY}", "https://mydata.blob.core.windows.net", "mydata"),
        (
            f"DefaultEndpointsProtocol=https;AccountName=mydata;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn",
            "https://mydata.blob.core.chinacloudapi.cn",
            "mydata",
        ),
        (
            f"AccountName=one;AccountKey={KEY};BlobEndpoint=http://azurite:10000/one;",
            "http://azurite:10000/one",
            "one",
        ),
    ],
)
def test_a_connection_string_says_account_address_and_key(told: str, url: str, name: str):
    assert of_connection_string(told) == BlobCredentials(name, url, key=KEY)


@pytest.mark.parametrize("mark", ["", "?"])
def test_a_connection_string_may_hold_a_signature(mark: str):
    endpoint = "https://mydata.blob.core.windows.net"
    found = of_connection_string(f"BlobEndpoint={endpoint}/;SharedAccessSignature={mark}{SAS}")
    assert found == BlobCredentials("mydata", endpoint, sas=SAS)


def test_the_emulators_short_form_is_known():
    found = of_connection_string("UseDevelopmentStorage=true")
    assert (found.account_name, found.account_url) == ("devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1")
    assert found.key == Azurite("").account_key


@pytest.mark.parametrize("told", ["S3cr3t", f"AccountKey={KEY}", "SharedAccessSignature=sig=S3cr3t", ";;"])
def test_a_connection_string_that_cannot_be_read_is_refused_without_telling_it(told: str):
    with pytest.raises(Refused, match="AZURE_STORAGE_CONNECTION_STRING cannot be read") as refusal:
        of_connection_string(told)
    assert refusal.value.__cause__ is None
    assert KEY not in str(refusal.value) + refusal.value.remedy
    assert "S3cr3t" not in str(refusal.value) + refusal.value.remedy


def test_a_connection_string_counts_before_a_key_and_a_key_before_a_signature():
    told = {
        "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=first;AccountKey={KEY}",
        "AZURE_STORAGE_ACCOUNT_NAME": "second",
        "AZURE_STORAGE_ACCOUNT_KEY": " b3RoZXI= ",
        "AZURE_STORAGE_SAS_TOKEN": f"?{SAS}",
    }
    assert read_credentials(told).account_name == "first"
    assert read_credentials({**told, "AZURE_STORAGE_CONNECTION_STRING": " "}) == BlobCredentials(
        "second", key="b3RoZXI="
    )
    del told["AZURE_STORAGE_CONNECTION_STRING"], told["AZURE_STORAGE_ACCOUNT_KEY"]
    assert read_credentials(told) == BlobCredentials("second", sas=SAS)
    assert read_credentials({}) == BlobCredentials()


def test_a_signature_goes_in_the_place_of_a_key():
    own = BlobCredentials("mydata", "https://mydata.blob.core.windows.net", key=KEY)
    assert own.with_sas("", "https://theirs.blob.core.windows.net") == own
    theirs = own.with_sas(SAS, "https://theirs.blob.core.windows.net")
    assert theirs == BlobCredentials(account_url="https://theirs.blob.core.windows.net", sas=SAS)


def test_credentials_of_another_account_are_refused_before_anything_is_asked():
    place = blob_place("https://theirs.blob.core.windows.net/container")
    for own in (BlobCredentials("mydata", key=KEY), BlobCredentials("mydata", sas=SAS)):
        with pytest.raises(Refused, match="lies in account theirs, and the credentials are those of account mydata"):
            require_account(place, own)
        require_account(blob_place("https://mydata.blob.core.windows.net/container"), own)
    for any_account in (BlobCredentials("mydata"), BlobCredentials(sas=SAS)):
        require_account(place, any_account)


@pytest.mark.parametrize(
    "address",
    [
        "https://blobs.example.com/container",
        "https://mydata.blob.core.windows.net.example.com/container",
        "http://10.0.0.7:10000/mydata/container",
        "http://azurite:10000/mydata/container",
    ],
)
def test_credentials_are_sent_to_no_stranger(address: str):
    place = blob_place(address)
    for own in (BlobCredentials("mydata", key=KEY), BlobCredentials("mydata"), BlobCredentials(sas=SAS)):
        with pytest.raises(Refused, match="is no address of Azure: no credentials are sent there"):
            require_account(place, own)
    require_account(place, BlobCredentials("mydata", place.account_url, key=KEY))


@pytest.mark.parametrize(
    "address",
    [
        "https://mydata.blob.core.windows.net/container",
        "https://mydata.privatelink.blob.core.windows.net/container",
        "https://mydata.z12.blob.storage.azure.net/container",
        "https://mydata.blob.core.usgovcloudapi.net/container",
        "http://127.0.0.1:10000/mydata/container",
        "http://localhost:10000/mydata/container",
    ],
)
def test_azure_and_this_machine_are_no_strangers(address: str):
    place = blob_place(address)
    assert place.is_trusted
    require_account(place, BlobCredentials("mydata", key=KEY))


def test_fault_50_credentials_are_shown_without_their_secrets():
    shown = f"{BlobCredentials('mydata', key=KEY)!r} {BlobCredentials('mydata', sas=SAS)}"
    assert KEY not in shown
    assert "S3cr3t" not in shown
    assert "mydata" in shown


def test_polars_is_told_what_there_is_and_no_more():
    assert table_options(TABLES, BlobCredentials("mydata")) == {"account_name": "mydata"}
    assert table_options(TABLES, BlobCredentials("mydata", sas=SAS)) == {"account_name": "mydata", "sas_token": SAS}
    assert table_options(TABLES, BlobCredentials("one", "http://azurite:10000/one", key=KEY)) == {
        "account_name": "one",
        "account_key": KEY,
        "azure_endpoint": "http://azurite:10000/one",
        "allow_http": "true",
    }


@pytest.mark.parametrize(
    ("place", "credentials", "reason"),
    [
        (TABLES, BlobCredentials(), "does not say in which account"),
        ("az://Tables/demo", BlobCredentials("mydata"), "'Tables' is no name of a container"),
        ("az:///demo", BlobCredentials("mydata"), "is no name of a container"),
    ],
)
def test_tables_without_account_or_container_are_refused(place: str, credentials: BlobCredentials, reason: str):
    with pytest.raises(Refused, match=reason):
        table_options(place, credentials)
    with pytest.raises(Refused, match=reason):
        tables_place(place, credentials)


@pytest.mark.parametrize(("place", "prefix"), [("az://tables/demo/", "demo"), ("az://tables", ""), (TABLES, "demo")])
def test_tables_lie_in_a_folder_of_the_account(place: str, prefix: str):
    usual = "https://mydata.blob.core.windows.net"
    assert tables_place(place, BlobCredentials("mydata")) == BlobPlace(usual, "tables", prefix)
    assert tables_place(place, BlobCredentials("mydata", f"{usual}.cn")).account_url == f"{usual}.cn"


@pytest.mark.parametrize("entry", ["key", "sas"])
def test_polars_enters_with_these_options(azurite: Azurite, container: Container, entry: str):
    credentials = read_credentials(azurite.environment)
    if entry == "sas":
        signed = generate_container_sas(
            azurite.account_name,
            container.name,
            account_key=azurite.account_key,
            permission=ContainerSasPermissions(read=True, write=True, create=True, list=True, add=True),
            expiry=datetime(2099, 1, 1, tzinfo=UTC),
        )
        credentials = of_connection_string(f"BlobEndpoint={azurite.account_url};SharedAccessSignature={signed}")
    options = table_options(f"az://{container.name}/demo", credentials)
    frame = pl.DataFrame({"a": [1, 2]})
    frame.write_parquet(f"az://{container.name}/demo/a b.parquet", storage_options=options)
    assert list(container.client.list_blob_names()) == ["demo/a b.parquet"]
    assert pl.read_parquet(f"az://{container.name}/demo/a b.parquet", storage_options=options, glob=False).equals(frame)
