"""Release stores on the emulator, entered in each of the ways that need no login.

Belongs here: making stores and signatures. Does not belong here: faults (azurite.fault_rules).
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from azure.storage.blob import ContainerSasPermissions, ExponentialRetry, generate_container_sas

from sft_pipeline.clients.blob.addresses import blob_place
from sft_pipeline.clients.blob.connecting import Container as Entered
from sft_pipeline.clients.blob.connecting import Entry, blob_service
from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline_tests.azurite.fault_rules import Asked
from sft_pipeline_tests.azurite.server import Azurite

LARGE = b"".join(sha256(bytes([i % 251, i // 251])).digest() * 4096 for i in range(160))
"""20 MiB that no shift maps to itself: two whole blocks and a half."""


def hasty() -> ExponentialRetry:
    """Asks as often as the stores do, without a pause."""
    return ExponentialRetry(
        initial_backoff=0, increment_base=0, random_jitter_range=0, retry_total=5, retry_connect=5, retry_read=5
    )


@contextmanager
def entered(
    server: Azurite, container: str, folder: str = "releases", *, entry: Entry = "key", secret: str = ""
) -> Generator[BlobReleaseStore]:
    """A store in a folder of a container.

    Args:
        server: the emulator, or a proxy before it.
        container: its name.
        folder: within it.
        entry: by key or by signature.
        secret: which; the account's own key where none is given.
    """
    place = blob_place(f"{server.account_url}/{container}/{folder}")
    with blob_service(place.account_url, secret or server.account_key, entry, hasty()) as service:
        yield BlobReleaseStore(Entered(service.get_container_client(container), place, entry))


def signature(server: Azurite, container: str, permissions: str = "racwl", *, hours: int = 1) -> str:
    """A shared access signature of a container that ends after so many hours; before now where they are negative."""
    return generate_container_sas(
        server.account_name,
        container,
        account_key=server.account_key,
        permission=ContainerSasPermissions.from_string(permissions),
        expiry=datetime.now(UTC) + timedelta(hours=hours),
    )


def is_block(asked: Asked) -> bool:
    """Bytes are sent."""
    return asked.comp == "block"


def is_commit(asked: Asked) -> bool:
    """Blocks are made a file."""
    return asked.method == "PUT" and asked.comp == "blocklist"


def is_download(asked: Asked) -> bool:
    """Bytes are asked for."""
    return asked.method == "GET" and asked.comp == ""
