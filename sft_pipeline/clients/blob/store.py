"""Releases in Azure Blob Storage: blobs that come into being whole or not at all, and never change.

Belongs here: `clients.release_store`'s contract on a container.
Does not belong here: blocks and ranges (uploading, downloading), signing in (connecting).
"""

from base64 import b64decode
from collections.abc import Iterable, Iterator
from time import sleep
from typing import Any
from urllib.parse import quote

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties, ContentSettings

from sft_pipeline.clients.blob.connecting import Container
from sft_pipeline.clients.blob.downloading import ranges_ahead
from sft_pipeline.clients.blob.failures import error_code, refusing
from sft_pipeline.clients.blob.uploading import commit, send_blocks
from sft_pipeline.clients.release_store import (
    PIECE_BYTES,
    Counted,
    Measuring,
    ReleaseConflict,
    StoredFile,
    conflict,
    measured,
    require_path,
)
from sft_pipeline.clients.transfers import Transfers

SHA256 = "sha256"
RECORDS = "records"
LINES = "application/x-ndjson"
DOCUMENT = "application/json"
COPY_LOOKS_SECONDS = 0.5
_COPIES_NOT_ALLOWED = {"CannotVerifyCopySource", "CopyAcrossAccountsNotSupported", "AuthorizationFailure"}
_TAKEN = {"ConditionNotMet", "TargetConditionNotMet", "UnauthorizedBlobOverwrite"}
"""What the service says beside 409 where there is a file by the name that a request wanted to create."""


class BlobReleaseStore:
    """A folder of a container: blocks are sent, and one conditional request makes them a file."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.transfers = Transfers()

    @property
    def url(self) -> str:
        """The folder's address, without credentials."""
        return self.container.place.url

    def put(self, path: str, pieces: Iterable[bytes], *, records: Counted = None) -> StoredFile:
        """See `ReleaseStore`; the SHA-256 and the number of records stand in the blob's metadata."""
        blob, measuring = self._blob(path), Measuring(pieces)
        with refusing(self.container, path):
            there = self.find(path)
            if there is not None:
                return self._require_same(there, measured(path, there.url, pieces))
            with self.transfers.of(path):
                ids = send_blocks(blob, measuring, self.transfers)
            stored = measuring.stored(path, self._url(path))
            notes = {SHA256: stored.sha256, **({RECORDS: str(records())} if records else {})}
            settings = ContentSettings(LINES if records else DOCUMENT, content_md5=bytearray.fromhex(stored.md5))
            try:
                commit(blob, ids, settings, notes)
            except HttpResponseError as error:
                return self._another_was_faster(error, path, stored)
        return stored

    def copy(self, source: str, path: str) -> StoredFile:
        """See `ReleaseStore`; within the account, except by a signature, which the copy's properties would tell."""
        with refusing(self.container, source):
            origin = self._blob(source).get_blob_properties()
        there = self.find(path)
        if there is None and self.container.entry != "sas":
            there = self._copied_within(source, path)
        if there is not None:
            return self._require_same(there, self._stored(path, origin))
        records = (origin.metadata or {}).get(RECORDS)
        return self.put(path, self.read(source), records=None if records is None else lambda: int(records))

    def read(self, path: str) -> Iterator[bytes]:
        """See `ReleaseStore`."""
        blob = self._blob(path)
        with refusing(self.container, path):
            yield from ranges_ahead(blob, PIECE_BYTES)

    def find(self, path: str) -> StoredFile | None:
        """See `ReleaseStore`; by what the blob says of itself since it was written. A copy under way is waited for.

        Raises:
            ReleaseConflict: the service broke the copy off: it says of itself what its source does, and is not whole.
        """
        blob = self._blob(path)
        with refusing(self.container, path):
            try:
                while (properties := blob.get_blob_properties()).copy.status == "pending":
                    sleep(COPY_LOOKS_SECONDS)
            except ResourceNotFoundError as error:
                if error_code(error) == "ContainerNotFound":
                    raise
                return None
        if properties.copy.status in {"failed", "aborted"}:
            raise ReleaseConflict(
                f"{self._url(path)}: the service broke off the copy that makes it", remedy="remove it, then run again"
            )
        return self._stored(path, properties)

    def list(self, prefix: str) -> list[str]:
        """See `ReleaseStore`."""
        top = self._name(f"{prefix.strip('/')}/" if prefix else "")
        skipped = len(self._name(""))
        with refusing(self.container, prefix):
            found = self.container.client.list_blobs(name_starts_with=top or None, include=["metadata"])
            return sorted(str(blob.name)[skipped:] for blob in found if not _is_folder(blob))

    def _another_was_faster(self, error: HttpResponseError, path: str, stored: StoredFile) -> StoredFile:
        """The blocks are of no use any more: there is a file by this name, ours by a lost answer or another's."""
        there = self.find(path)
        if there is None or not (_is_taken(error) or error_code(error) == "InvalidBlockList"):
            raise error
        return self._require_same(there, stored)

    def _copied_within(self, source: str, path: str) -> StoredFile | None:
        """The copy that the service made by itself, or another run's; None where it makes no copies."""
        target = self._blob(path)
        with refusing(self.container, path):
            try:
                target.start_copy_from_url(self._blob(source).url, match_condition=MatchConditions.IfMissing)
            except HttpResponseError as error:
                if error_code(error) in _COPIES_NOT_ALLOWED:
                    return None
                if not _is_taken(error):
                    raise
        return self.find(path)

    def _require_same(self, there: StoredFile, wanted: StoredFile) -> StoredFile:
        if there != wanted:
            raise conflict(there, wanted)
        return there

    def _stored(self, path: str, properties: BlobProperties) -> StoredFile:
        """What a blob says of itself; one that another tool wrote is read and hashed."""
        notes: dict[str, Any] = properties.metadata or {}
        digest = properties.content_settings.content_md5
        if SHA256 not in notes or not digest:
            return measured(path, self._url(path), self.read(properties.name[len(self._name("")) :]))
        return StoredFile(path, self._url(path), int(properties.size), _hex(digest), str(notes[SHA256]))

    def _blob(self, path: str) -> BlobClient:
        require_path(path)
        return self.container.client.get_blob_client(self._name(path))

    def _name(self, path: str) -> str:
        prefix = self.container.place.prefix
        return f"{prefix}/{path}" if prefix else path

    def _url(self, path: str) -> str:
        return f"{self.url}/{quote(path)}"


def _is_taken(error: HttpResponseError) -> bool:
    return isinstance(error, ResourceExistsError) or error_code(error) in _TAKEN


def _hex(digest: bytes | bytearray | str) -> str:
    return (b64decode(digest) if isinstance(digest, str) else bytes(digest)).hex()


def _is_folder(blob: BlobProperties) -> bool:
    """Accounts with a hierarchical namespace list their folders as empty blobs."""
    return (blob.metadata or {}).get("hdi_isfolder") == "true"
