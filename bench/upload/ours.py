"""This project: `python -m bench.upload.ours URL FILE`.

`BlobReleaseStore.put`: MD5 of every block and of the blob, SHA-256, create-only commit; then `read`, whole.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.telling import tell
from bench.upload.client_side import CONTAINER, NAME
from sft_pipeline.clients.blob.addresses import BlobPlace
from sft_pipeline.clients.blob.connecting import Container, blob_service
from sft_pipeline.clients.blob.store import BlobReleaseStore
from sft_pipeline_tests.azurite.server import Azurite

PIECE = 4 << 20


def pieces(path: Path) -> Iterator[bytes]:
    """The file's bytes."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def main() -> None:
    """Send, read back, tell."""
    azurite, path = Azurite(sys.argv[1]), Path(sys.argv[2])
    with blob_service(azurite.account_url, azurite.account_key, "key") as service:
        container = Container(service.create_container(CONTAINER), BlobPlace(azurite.account_url, CONTAINER, ""), "key")
        store = BlobReleaseStore(container)
        began = time.perf_counter()
        stored = store.put(NAME, pieces(path))
        sent = time.perf_counter()
        found = sum(len(piece) for piece in store.read(NAME))
        tell(sent - began, {"bytes": stored.bytes, "found": found, "down": time.perf_counter() - sent})


if __name__ == "__main__":
    main()
