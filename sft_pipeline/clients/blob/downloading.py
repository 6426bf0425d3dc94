"""A blob's bytes in order, several ranges ahead of who reads them, all of one version of it.

Belongs here: ranges. Does not belong here: what the bytes mean.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

from azure.core import MatchConditions
from azure.storage.blob import BlobClient

from sft_pipeline.clients.blob.connecting import until

DOWNLOADS = 6
"""Ranges on their way at a time."""


def ranges_ahead(blob: BlobClient, size: int) -> Iterator[bytes]:
    """The bytes in pieces of `size`.

    Raises:
        ResourceModifiedError: the blob was replaced meanwhile.
    """
    properties = blob.get_blob_properties()
    total, etag = int(properties.size), str(properties.etag)
    waiting: deque[Future[bytes]] = deque()
    over = Event()
    with ThreadPoolExecutor(DOWNLOADS) as pool, ExitStack() as leaving:
        leaving.callback(over.set)
        for offset in range(0, total, size):
            waiting.append(pool.submit(_range, blob, offset, min(size, total - offset), etag, over))
            if len(waiting) > DOWNLOADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _range(blob: BlobClient, offset: int, length: int, etag: str, over: Event) -> bytes:
    stream = blob.download_blob(
        offset, length, etag=etag, match_condition=MatchConditions.IfNotModified, retry_hook=until(over)
    )
    return stream.readall()
