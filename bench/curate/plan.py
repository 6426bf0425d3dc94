"""What sides are given beside the chunks: the plan as JSON, and for the look at memory an input of twice the size."""

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

from bench.inputs import scaled_plan
from sft_pipeline.curation.hashing import chunk_of

ID_BEGINS = len(b'{"conversationId":"')


def write_plan(path: Path, conversations: int) -> Path:
    """The plan for so many candidates, as sides without the product read it."""
    plan = scaled_plan(conversations)
    told = {
        "split_shares": plan.split.shares,
        "buckets": {bucket.name: bucket.turns for bucket in plan.buckets},
        "targets": plan.sample.targets,
        "salt": plan.sample.salt,
        "files": {f"{cell.split}/{cell.bucket.name}": cell.path for cell in plan.cells},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=2))
    return path


def doubled_chunks(chunks: Path) -> Path:
    """Every conversation twice, the second one under an id of its own, in twice as many chunks of the same size.

    A window twice as long is cut into twice as many chunks: the service limits what one answer holds.
    """
    folder = chunks.with_name(f"{chunks.name}-doubled")
    if not folder.exists():
        unfinished = folder.with_name(f".{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _write_doubled(sorted(chunks.glob("*.jsonl")), unfinished)
        unfinished.rename(folder)
    return folder


def _write_doubled(files: list[Path], folder: Path) -> None:
    count = 2 * len(files)
    with ExitStack() as opened:
        halves = [opened.enter_context((folder / f"{number:02d}.jsonl").open("wb")) for number in range(count)]
        for path in files:
            for line in path.read_bytes().splitlines(keepends=True):
                ends = line.index(b'"', ID_BEGINS)
                own = line[ID_BEGINS:ends].decode()
                other = f"{own}b"
                halves[chunk_of(own, count)].write(line)
                halves[chunk_of(other, count)].write(line[:ID_BEGINS] + other.encode() + line[ends:])
