"""Accounts of Azure Blob Storage, entered through dagster-azure's resource.

Belongs here: which of its credentials is meant. Does not belong here: what is done in a container (clients.blob).
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import cache

from azure.storage.blob import BlobServiceClient
from dagster_azure.blob import (
    AzureBlobStorageDefaultCredential,
    AzureBlobStorageKeyCredential,
    AzureBlobStorageResource,
    AzureBlobStorageSASTokenCredential,
)

from sft_pipeline.clients.blob.addresses import BlobPlace
from sft_pipeline.clients.blob.connecting import Container, Entry, blob_service
from sft_pipeline.clients.blob.credentials import BlobCredentials, require_account

_OPEN = ExitStack()
"""Clients stay open as long as the process: every partition uses them."""

_ENTRIES: dict[str, Entry] = {"key": "key", "sas": "sas", "default_azure_credential": "login"}


class BlobAccount(AzureBlobStorageResource):
    """dagster-azure's resource, with a client that asks again sooner and keeps signatures out of its addresses.

    It is made where it is used and never part of the definitions: the UI shows the configuration of those.
    """

    account_name: str = ""

    @property
    def entry(self) -> Entry:
        """By what the account is entered."""
        return _ENTRIES[self.credential.credential_type]

    @contextmanager
    def get_client(self) -> Generator[BlobServiceClient]:
        """The client, closed at the end of the block."""
        credential, named = self._raw_credential(), self.account_name
        with blob_service(self.account_url, credential, self.entry, account_name=named) as service:
            yield service


@cache
def open_container(place: BlobPlace, credentials: BlobCredentials) -> Container:
    """A container's client; nothing is asked of the service yet.

    Raises:
        Refused: the credentials are those of another account.
    """
    require_account(place, credentials)
    service, entry = _entered(place.account_url, credentials)
    return Container(service.get_container_client(place.container), place, entry)


@cache
def _entered(account_url: str, credentials: BlobCredentials) -> tuple[BlobServiceClient, Entry]:
    """An account's client, one per process: hundreds of places share its connections and its login."""
    own = credentials.account_name if account_url == credentials.account_url else ""
    account = BlobAccount(account_url=account_url, account_name=own, credential=_credential(credentials))
    return _OPEN.enter_context(account.get_client()), account.entry


def _credential(
    credentials: BlobCredentials,
) -> AzureBlobStorageKeyCredential | AzureBlobStorageSASTokenCredential | AzureBlobStorageDefaultCredential:
    if credentials.key:
        return AzureBlobStorageKeyCredential(key=credentials.key)
    if credentials.sas:
        return AzureBlobStorageSASTokenCredential(token=credentials.sas)
    return AzureBlobStorageDefaultCredential()
