"""azure-storage-blob alone: `python -m bench.upload.client_side URL FILE (bare | parallel | checked)`.

- bare: `BlobClient.upload_blob(file)` as it comes: one connection, nothing checked;
- parallel: with as many connections and as large blocks as this project, nothing checked;
- checked: the same with `validate_content`, an MD5 for every block.

Then `download_blob` into nowhere.
"""

import sys
import time
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from bench.telling import tell
from sft_pipeline.clients.blob.downloading import DOWNLOADS
from sft_pipeline.clients.blob.uploading import BLOCK_BYTES, UPLOADS
from sft_pipeline_tests.azurite.server import Azurite

CONTAINER, NAME = "bench", "upload/file.json"


class Nowhere:
    """A file that forgets."""

    def write(self, piece: bytes) -> int:
        """Take a piece."""
        return len(piece)

    def seekable(self) -> bool:
        """Whether parallel downloads may write out of order."""
        return True

    def tell(self) -> int:
        """Always the beginning."""
        return 0

    def seek(self, place: int, whence: int = 0) -> int:
        """Go nowhere."""
        return place + whence


def main() -> None:
    """Send, read back, tell."""
    azurite, path, way = Azurite(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    tuned = way != "bare"
    settings = {"max_block_size": BLOCK_BYTES, "max_single_put_size": BLOCK_BYTES} if tuned else {}
    with BlobServiceClient(azurite.account_url, credential=azurite.account_key, **settings) as service:
        blob = service.create_container(CONTAINER).get_blob_client(NAME)
        began = time.perf_counter()
        with path.open("rb") as file:
            blob.upload_blob(file, max_concurrency=UPLOADS if tuned else 1, validate_content=way == "checked")
        sent = time.perf_counter()
        found = blob.download_blob(max_concurrency=DOWNLOADS if tuned else 1).readinto(Nowhere())
        size = blob.get_blob_properties().size
        tell(sent - began, {"bytes": size, "found": found, "down": time.perf_counter() - sent})


if __name__ == "__main__":
    main()
