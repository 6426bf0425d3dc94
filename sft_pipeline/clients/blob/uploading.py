"""A blob in blocks, several at a time, each with its MD5; what an earlier run sent is not sent again.

Belongs here: cutting into blocks, sending them, and the one request that makes them a file.
Does not belong here: what is there already, and whether it is the same (store).
"""

from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from hashlib import md5
from threading import Event

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobClient, ContentSettings

from sft_pipeline.clients.blob.connecting import until
from sft_pipeline.clients.blob.failures import error_code
from sft_pipeline.clients.in_order import in_order
from sft_pipeline.clients.transfers import Transfers

BLOCK_BYTES = 8 * 1024 * 1024
"""Azure takes 50,000 blocks: files of up to 400 GB."""
UPLOADS = 6
"""Blocks on their way at a time: about 60 MB of memory."""
ATTEMPTS = 4
"""How often a block is sent whose bytes arrive changed."""


def send_blocks(blob: BlobClient, pieces: Iterable[bytes], transfers: Transfers) -> list[str]:
    """Send all bytes; nobody sees them before `commit`.

    Returns:
        The ids of the blocks in order; an id is the block's number and MD5, so that equal ids are equal bytes.
    """
    over = Event()
    send = partial(_send, blob, transfers, over)
    return [*in_order(send, _numbered(blob, pieces), at_a_time=UPLOADS, over=over)]


def commit(blob: BlobClient, ids: list[str], settings: ContentSettings, notes: Mapping[str, str]) -> None:
    """Make blocks a file, unless there is one by this name.

    Raises:
        ResourceExistsError: there is one.
    """
    blob.commit_block_list(
        [BlobBlock(block_id=name) for name in ids],
        content_settings=settings,
        metadata=dict(notes),
        match_condition=MatchConditions.IfMissing,
        validate_content=True,
    )


def blocks(pieces: Iterable[bytes], size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The same bytes in blocks of one size; the last one holds what is left."""
    held: list[memoryview] = []
    room = size
    for piece in pieces:
        view = memoryview(piece)
        while len(view) >= room:
            yield b"".join((*held, view[:room]))
            view, held, room = view[room:], [], size
        if view:
            held.append(view)
            room -= len(view)
    if held:
        yield b"".join(held)


def _staged(blob: BlobClient) -> set[str]:
    """The blocks that an earlier run sent and did not live to commit; Azure keeps them for a week."""
    with suppress(ResourceNotFoundError):
        _, uncommitted = blob.get_block_list("uncommitted")
        return {str(block.id) for block in uncommitted}
    return set()


def _numbered(blob: BlobClient, pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes, Collection[str]]]:
    """Each block with its number and the blocks that are there already; a file of one block is not asked about."""
    staged: Collection[str] | None = None
    for number, block in enumerate(blocks(pieces)):
        if staged is None:
            staged = _staged(blob) if len(block) == BLOCK_BYTES else ()
        yield number, block, staged


def _send(blob: BlobClient, transfers: Transfers, over: Event, numbered: tuple[int, bytes, Collection[str]]) -> str:
    number, block, staged = numbered
    digest = md5(block, usedforsecurity=False).digest()
    name = f"{number:05d}-{digest.hex()}"
    if name not in staged:
        _stage(blob, name, block, {"Content-MD5": b64encode(digest).decode()}, over)
    transfers.add(len(block), kept=name in staged)
    return name


def _stage(blob: BlobClient, name: str, block: bytes, headers: Mapping[str, str], over: Event) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            blob.stage_block(name, block, length=len(block), headers=dict(headers), retry_hook=until(over))
        except HttpResponseError as error:
            if error_code(error) != "Md5Mismatch" or attempt == ATTEMPTS:
                raise
        else:
            return
