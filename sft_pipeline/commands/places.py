"""The places that commands are given: where releases lie, or one release.

Belongs here: what a name or an address on the command line means. Does not belong here: opening it (resources).
"""

from pathlib import Path
from urllib.parse import quote

from sft_pipeline.clients.blob.addresses import is_blob_address, without_signature
from sft_pipeline.clients.blob.places import is_there
from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline.clients.release_store import ReleaseStore
from sft_pipeline.orchestration.resources import open_releases
from sft_pipeline.orchestration.settings import read_settings


def releases_address(told: str | None) -> str:
    """The named place of releases, else SFT_RELEASES."""
    return told or read_settings().releases


def open_named_release(told: str) -> ReleaseStore:
    """The folder of a release: at a path or URL, else of this name in SFT_RELEASES.

    Raises:
        Refused: there can be no store at such an address.
    """
    if any(mark in told for mark in "/\\:") or Path(told).is_dir():
        return open_place(told)
    place = read_settings().releases.rstrip("/")
    return open_place(f"{place}/{quote(told) if '://' in place else told}")


def open_place(address: str) -> ReleaseStore:
    """The store at an address, which may carry a signature; a person waits, so it is looked at without much patience.

    Raises:
        Refused: there can be no store at such an address, or it does not answer.
    """
    store = open_releases(address, signed=True)
    if isinstance(store, BlobReleaseStore):
        is_there(store.container)
    return store


def open_beside(url: str, address: str) -> ReleaseStore:
    """A folder of the store at an address, entered by the same signature if the address carries one."""
    signature = without_signature(address)[1] if is_blob_address(address) else ""
    return open_releases(f"{url}?{signature}" if signature else url, signed=True)
