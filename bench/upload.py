"""A file of a gigabyte to a blob service on the loopback: this project and azure-storage-blob alone.

`python -m bench.upload` needs Azurite (`make azurite-install`). Each run gets a new one, in memory, and a process:

- ours: `BlobReleaseStore.put`: MD5 of every block and of the blob, SHA-256, create-only commit;
- bare: `BlobClient.upload_blob(file)` as it comes: one connection, nothing checked;
- parallel: with as many connections and as large blocks as ours, nothing checked;
- checked: the same with `validate_content`, an MD5 for every block.

Ours takes three digests of every byte, 3.2 s of processor time for a gigabyte; on two cores, of which the service
needs one and a half, that is what it costs against `parallel`. Where the service is elsewhere, they fill the wait.

Then the blob is read back whole: ours by `BlobReleaseStore.read`, bare by `download_blob` into nowhere.
Rates are megabytes per second; medians; memory is a process's peak. All sides must send and find the same bytes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from bench.decode import peak_mb
from sft_pipeline_tests.azurite.server import Azurite, running

SIDES = ("ours", "bare", "parallel", "checked")
RUNS = 5
MEGABYTES = 1000
PIECE = 4 * 1024 * 1024
NAME = "upload/file.json"


def made_file(path: Path, megabytes: int) -> None:
    """Lines that look like records and do not repeat."""
    with path.open("wb") as file:
        for number in range(megabytes * 1000):
            text = sha256(str(number).encode()).hexdigest() * 15
            file.write(f'{{"conversationId":"{number:020d}","text":"{text[:951]}"}}\n'.encode())


def ours(azurite: Azurite, path: Path) -> dict[str, float]:
    """By this project."""
    from sft_pipeline.clients.blob.addresses import BlobPlace
    from sft_pipeline.clients.blob.connecting import Container, blob_service
    from sft_pipeline.clients.blob.store import BlobReleaseStore

    with blob_service(azurite.account_url, azurite.account_key, "key") as service:
        container = service.create_container("bench")
        store = BlobReleaseStore(Container(container, BlobPlace(azurite.account_url, "bench", ""), "key"))
        started = time.perf_counter()
        stored = store.put(NAME, _pieces(path))
        sent = time.perf_counter()
        found = sum(len(piece) for piece in store.read(NAME))
        return {"bytes": stored.bytes, "found": found, "up": sent - started, "down": time.perf_counter() - sent}


def bare(azurite: Azurite, path: Path, side: str) -> dict[str, float]:
    """By the client alone."""
    from azure.storage.blob import BlobServiceClient

    from sft_pipeline.clients.blob.downloading import DOWNLOADS
    from sft_pipeline.clients.blob.uploading import BLOCK_BYTES, UPLOADS

    tuned = side != "bare"
    settings = {"max_block_size": BLOCK_BYTES, "max_single_put_size": BLOCK_BYTES} if tuned else {}
    with BlobServiceClient(azurite.account_url, credential=azurite.account_key, **settings) as service:
        blob = service.create_container("bench").get_blob_client(NAME)
        started = time.perf_counter()
        with path.open("rb") as file:
            blob.upload_blob(file, max_concurrency=UPLOADS if tuned else 1, validate_content=side == "checked")
        sent = time.perf_counter()
        found = blob.download_blob(max_concurrency=DOWNLOADS if tuned else 1).readinto(_Nowhere())
        size = blob.get_blob_properties().size
        return {"bytes": size, "found": found, "up": sent - started, "down": time.perf_counter() - sent}


class _Nowhere:
    """A file that forgets."""

    def write(self, piece: bytes) -> int:
        return len(piece)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0

    def seek(self, place: int, whence: int = 0) -> int:
        return place + whence


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def one_run(side: str, url: str, path: Path) -> dict[str, float]:
    """Seconds (without imports), peak memory and what was found, in this process."""
    azurite = Azurite(url)
    told = ours(azurite, path) if side == "ours" else bare(azurite, path, side)
    return {**told, "rss_mb": peak_mb()}


def measured(path: Path) -> dict[str, dict[str, float]]:
    """Each side's rates and memory; the sides take turns, so that the machine's mood meets all alike."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(RUNS):
        for side in SIDES:
            with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as azurite:
                command = [sys.executable, "-m", "bench.upload", "--side", side, "--url", azurite.account_url]
                done = subprocess.run([*command, "--file", str(path)], check=True, capture_output=True, text=True)
                runs[side].append(json.loads(done.stdout))
    if {run[name] for side in SIDES for run in runs[side] for name in ("bytes", "found")} != {path.stat().st_size}:
        raise SystemExit("the sides do not send and find the same bytes")
    return {side: _medians(runs[side], path.stat().st_size / 1e6) for side in SIDES}


def _medians(runs: list[dict[str, float]], megabytes: float) -> dict[str, float]:
    return {
        "up_mb_per_second": round(megabytes / statistics.median(run["up"] for run in runs), 1),
        "down_mb_per_second": round(megabytes / statistics.median(run["down"] for run in runs), 1),
        "rss_mb": round(max(run["rss_mb"] for run in runs)),
    }


def main() -> None:
    """One side on a service that runs, or all sides."""
    parser = argparse.ArgumentParser(prog="bench.upload", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--url")
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_run(options.side, options.url, options.file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.json"
        made_file(path, options.megabytes)
        sides = measured(path)
    rate = {side: told["up_mb_per_second"] for side, told in sides.items()}
    ratios = {f"ours_vs_{side}": round(rate["ours"] / rate[side], 2) for side in SIDES[1:]}
    print(json.dumps({"id": "upload", "megabytes": options.megabytes, "sides": sides, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
