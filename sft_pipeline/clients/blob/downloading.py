"""A blob's bytes in order, several ranges ahead of who reads them, all of one version of it.

Belongs here: ranges. Does not belong here: what the bytes mean.
"""

from collections.abc import Iterator
from functools import partial
from threading import Event

from azure.core import MatchConditions
from azure.storage.blob import BlobClient

from sft_pipeline.clients.blob.connecting import until
from sft_pipeline.clients.in_order import in_order

DOWNLOADS = 6
"""Ranges on their way at a time."""


def ranges_ahead(blob: BlobClient, size: int) -> Iterator[bytes]:
    """The bytes in pieces of `size`.

    Raises:
        ResourceModifiedError: the blob was replaced meanwhile.
    """
    properties = blob.get_blob_properties()
    total, etag = int(properties.size), str(properties.etag)
    over = Event()
    starts = range(0, total, size)
    yield from in_order(partial(_range, blob, size, etag, over), starts, at_a_time=DOWNLOADS, over=over)


def _range(blob: BlobClient, size: int, etag: str, over: Event, start: int) -> bytes:
    stream = blob.download_blob(
        start, size, etag=etag, match_condition=MatchConditions.IfNotModified, retry_hook=until(over)
    )
    return stream.readall()
