"""Who reads and writes in Azure Blob Storage, by the variables that Azure's own tools read.

Belongs here: the variables, and what Polars is told of them. Without any, the user's Azure login is used.
Does not belong here: making clients (connecting).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from azure.storage.blob import BlobServiceClient

from sft_pipeline.clients.blob.addresses import FORM, BlobPlace, account_name_of, require_container
from sft_pipeline.curation.refusal import Refused

CONNECTION_STRING = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT_NAME = "AZURE_STORAGE_ACCOUNT_NAME"
ACCOUNT_KEY = "AZURE_STORAGE_ACCOUNT_KEY"
SAS_TOKEN = "AZURE_STORAGE_SAS_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class BlobCredentials:
    """A key, a shared access signature, or neither: then the Azure login counts.

    Args:
        account_name: the account, where one is named.
        account_url: its address, where a connection string says it.
        key: the account's key.
        sas: a shared access signature, without `?`.
    """

    account_name: str = ""
    account_url: str = ""
    key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)

    def with_sas(self, sas: str, account_url: str) -> "BlobCredentials":
        """A signature alone, for the account that it was told with; without one, as before."""
        return BlobCredentials(account_url=account_url, sas=sas) if sas else self


def read_credentials(environment: Mapping[str, str] = os.environ) -> BlobCredentials:
    """Read the variables; a connection string goes before all others, a key before a signature.

    Raises:
        Refused: the connection string cannot be read.
    """
    if told := environment.get(CONNECTION_STRING, "").strip():
        return _of_connection_string(told)
    key = environment.get(ACCOUNT_KEY, "").strip()
    sas = "" if key else environment.get(SAS_TOKEN, "").strip().removeprefix("?")
    return BlobCredentials(environment.get(ACCOUNT_NAME, "").strip(), key=key, sas=sas)


def require_account(place: BlobPlace, credentials: BlobCredentials) -> None:
    """Refuse to send credentials to a stranger, or those of one account to another, which would take a minute to fail.

    Raises:
        Refused: names the address, or both accounts.
    """
    if place.account_url == credentials.account_url:
        return
    if not place.is_trusted:
        raise Refused(
            f"{place.account_url} is no address of Azure: no credentials are sent there",
            remedy=f"name it as {FORM}, or as BlobEndpoint in {CONNECTION_STRING}",
        )
    own, asked = credentials.account_name, account_name_of(place.account_url)
    if own not in {"", asked} and (credentials.key or credentials.sas):
        raise Refused(
            f"{place.url} lies in account {asked}, and the credentials are those of account {own}",
            remedy=f"set {CONNECTION_STRING} to that of account {asked}, or unset it and log in with `az login`",
        )


def table_options(place: str, credentials: BlobCredentials) -> dict[str, str]:
    """What Polars needs to know to read and write under `az://container/prefix`.

    Raises:
        Refused: no account is named, or the container's name cannot be one.
    """
    require_container(place.removeprefix("az://").split("/", 1)[0])
    if not credentials.account_name:
        raise Refused(
            f"{place} does not say in which account it lies",
            remedy=f"set {ACCOUNT_NAME} to the storage account's name, or {CONNECTION_STRING}",
        )
    told = {
        "account_name": credentials.account_name,
        "account_key": credentials.key,
        "sas_token": credentials.sas,
        "azure_endpoint": credentials.account_url,
        "allow_http": "true" if credentials.account_url.startswith("http://") else "",
    }
    return {name: value for name, value in told.items() if value}


def tables_place(place: str, credentials: BlobCredentials) -> BlobPlace:
    """The folder of a container that `az://container/prefix` means.

    Raises:
        Refused: as `table_options`.
    """
    table_options(place, credentials)
    container, _, prefix = place.removeprefix("az://").strip("/").partition("/")
    url = credentials.account_url or f"https://{credentials.account_name}.blob.core.windows.net"
    return BlobPlace(url, container, prefix.strip("/"))


def _of_connection_string(told: str) -> BlobCredentials:
    try:
        service = BlobServiceClient.from_connection_string(told)
    except ValueError:
        raise Refused(
            f"{CONNECTION_STRING} cannot be read",
            remedy="copy it whole from the account's page `Access keys`; it is AccountName=...;AccountKey=...",
        ) from None
    url, _, sas = service.url.partition("?")
    key = "" if service.credential is None else str(service.credential.account_key)
    return BlobCredentials(str(service.account_name or ""), url.rstrip("/"), key=key, sas=sas)
