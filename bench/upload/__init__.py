"""A large file to a blob service on the loopback, and back: this project and azure-storage-blob alone."""

from pathlib import Path

from bench.results import Benchmark
from bench.scale import Scale


def run(scale: Scale, work: Path) -> list[Benchmark]:
    """Benchmark `upload_to_blob`; none where Azurite is not installed."""
    from bench.upload.benchmark import upload

    return upload(scale, work)
