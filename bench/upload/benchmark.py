"""Rates of sending and reading back, each run with a new service in memory.

Belongs here: the file, the service, and what is told. Does not belong here: the sides (a module each).
"""

import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from bench.measuring import ROOT, Run, Side, peaks, run_alone
from bench.results import Benchmark, Goal, median, rounded
from bench.scale import Scale
from sft_pipeline_tests.azurite.server import running

OURS, WAYS = "ours", ("bare", "parallel", "checked")
INSTALLED = ROOT / "azurite" / "node_modules" / ".package-lock.json"
MEGABYTES_PER_DECODED = 14
"""A gigabyte where 70 MB are decoded."""


def upload(scale: Scale, work: Path) -> list[Benchmark]:
    """Send the file in all ways."""
    if not INSTALLED.exists():
        print("  upload_to_blob skipped: Azurite is not installed; `make azurite-install` needs node and npm")
        return []
    path = work / f"upload-{scale.megabytes}.json"
    if not path.exists():
        _make_file(path, scale.megabytes * MEGABYTES_PER_DECODED)
    runs: dict[str, list[Run]] = {name: [] for name in (OURS, *WAYS)}
    for _ in range(scale.runs):
        for name, own in runs.items():
            with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as azurite:
                own.append(run_alone(_side(name, azurite.account_url, path)))
    found = {run.answer[name] for own in runs.values() for run in own for name in ("bytes", "found")}
    if found != {path.stat().st_size}:
        raise SystemExit("the sides do not send and find the same bytes")
    return [_benchmark(runs, path.stat().st_size / 1e6, scale.runs)]


def _side(name: str, url: str, path: Path) -> Side:
    module, way = ("ours", ()) if name == OURS else ("client_side", (name,))
    return Side(name, f"bench.upload.{module}", (url, str(path), *way))


def _make_file(path: Path, megabytes: int) -> None:
    """Lines that look like records and do not repeat."""
    with path.open("wb") as file:
        for number in range(megabytes * 1000):
            text = sha256(str(number).encode()).hexdigest() * 15
            file.write(f'{{"conversationId":"{number:020d}","text":"{text[:951]}"}}\n'.encode())


def _benchmark(runs: Mapping[str, Sequence[Run]], megabytes: float, count: int) -> Benchmark:
    rates = {name: [rounded(megabytes / run.seconds) for run in own] for name, own in runs.items()}
    up = {name: median(own) for name, own in rates.items()}
    down = {name: rounded(megabytes / median(run.answer["down"] for run in own)) for name, own in runs.items()}
    ours = up.pop(OURS)
    return Benchmark(
        id="upload_to_blob",
        value=rounded(ours / up["bare"]),
        unit="times upload_blob as it comes",
        ours=ours,
        peers=up,
        measure="MB/s",
        limit=None,
        rss_mb=peaks(runs),
        note=(
            "A file to Azurite on the loopback, sent and then read back: ours with an MD5 of every block and of the "
            "blob, a SHA-256 and a create-only commit; azure-storage-blob as it comes (`bare`), with our connections "
            "and blocks (`parallel`), and with `validate_content` beside them (`checked`). Ours takes three digests "
            "of every byte; on a machine that also runs the service these cost what lies between ours and `parallel`. "
            "Where the service is elsewhere, they fill the wait."
        ),
        size=f"{megabytes:,.0f} MB",
        runs=count,
        spread={name: [min(own), max(own)] for name, own in rates.items()},
        goals=[Goal("no slower than upload_blob as it comes, within 10 %", ours >= 0.9 * up["bare"])],
        series={"side": list(down), "up MB/s": [ours, *up.values()], "down MB/s": list(down.values())},
    )
