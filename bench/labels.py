"""Requests to verdicts at production's size, the service answering at once: what the pipeline itself takes.

`python -m bench.labels` makes 195,000 requests with histories and labels them through the label store, once by files of
the Batch API and once more from the store alone. The service runs in a process of its own, so that its work is not
counted; what it answers takes it no time to think. Seconds are the processor's time of the labelling process and the
clock's; memory is the process's peak. In the second pass nothing may be asked.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from bench.decode import peak_mb

if TYPE_CHECKING:
    from sft_pipeline.clients.judges.protocol import Judge
    from sft_pipeline.clients.labelling.splits import SplitLabelling
    from sft_pipeline.curation.judge_knobs import Judging

REQUESTS = 195_000
SECONDS_ALLOWED = 60
MEGABYTES_ALLOWED = 1_000


def made_requests(count: int) -> pl.DataFrame:
    """Requests as the conversation router has them: about 150 characters each, and 1,000 of history."""
    from sft_pipeline.curation.router_tables import Request
    from sft_pipeline.curation.tables import schema_of

    texts = [sha256(str(number).encode()).hexdigest() for number in range(count)]
    base = pl.DataFrame({"text": texts, "number": range(count)}, schema={"text": pl.String, "number": pl.Int64})
    kind = pl.when(pl.col("number") % 3 == 0).then(pl.lit("design a protocol")).otherwise(pl.lit("rename a variable"))
    text = pl.concat_str(kind, pl.lit(" "), pl.concat_str(*["text"] * 2))
    position = pl.Series(["early", "mid", "late"])
    columns = {
        "requestId": pl.concat_str("text", pl.lit("#1")),
        "conversationId": pl.col("text"),
        "turnIndex": pl.lit(1, pl.Int64),
        "turnCount": pl.lit(5, pl.Int64),
        "split": pl.lit("train"),
        "bucket": pl.lit("short"),
        "priority": pl.col("number"),
        "turnPosition": pl.lit(position).gather(pl.col("number") % 3),
        "request": text,
        "history": pl.concat_str(*["text"] * 16),
        "contentKey": pl.col("text"),
        **{name: pl.lit(1, pl.Int64) for name in ("numRequests", "turnDurationMs", "toolDiversity", "toolCalls")},
        "promptTokenDelta": pl.lit(1, pl.Int64),
        "complexity": pl.lit("low"),
        "model": pl.lit("gpt-5"),
        "modelClass": pl.lit("reasoning"),
        "suspect": pl.lit(value=False),
        "leftOut": pl.lit(None, pl.String),
    }
    return base.select(**columns).select(schema_of(Request).names())


def labelled(url: str, folder: Path, requests: pl.DataFrame) -> dict[str, float]:
    """One pass over all requests, by batches; what it took, and how many the judge was asked for."""
    from sft_pipeline.clients.labelling.splits import judge_split

    with labelling(url, folder) as of:
        began, used = time.perf_counter(), _processor_seconds()
        table = judge_split(requests, of).table()
        return {
            "verdicts": table.height,
            "labelled": table["label"].count(),
            "asked": of.main.asked,
            "processor_seconds": round(_processor_seconds() - used, 1),
            "seconds": round(time.perf_counter() - began, 1),
        }


@contextmanager
def labelling(url: str, folder: Path) -> "Iterator[SplitLabelling]":
    """All that a split of the conversation router is labelled with, every request of it."""
    from sft_pipeline.clients.labelling.budget import Budget
    from sft_pipeline.clients.labelling.desk import open_desk
    from sft_pipeline.clients.labelling.progress import LabelProgress
    from sft_pipeline.clients.labelling.splits import SplitLabelling
    from sft_pipeline.clients.labels.store import LabelStore
    from sft_pipeline.plans import read_plan

    plan = read_plan("production")
    if plan.routers is None:
        raise SystemExit("plan production has no routers")
    judging = plan.routers.judging.model_copy(update={"stop_when_filled": False, "max_cost": 0.0})
    routers = plan.routers.model_copy(update={"judging": judging})
    all_of_it = plan.model_copy(update={"routers": routers})
    store, budget = LabelStore(str(folder / "labels"), folder / "journals"), Budget(0.0, judging.price)
    with closing(batch_judge(url, folder, judging)) as judge, open_desk(store, judge, budget, "bench") as desk:
        told = LabelProgress(), lambda _: None
        yield SplitLabelling(all_of_it, routers, "conversation_router", "train", desk, desk, (), *told)


def batch_judge(url: str, folder: Path, judging: "Judging") -> "Judge":
    """The service as a judge that is asked by files."""
    from sft_pipeline.clients.judges.opening import open_judge

    return open_judge(
        kind="openai",
        model="judge-1",
        base_url=url,
        mode="batch",
        concurrency=8,
        prompt_name="conversation_router_1",
        parameters=judging.parameters,
        price=judging.price,
        run="bench",
        batches=folder / "batches",
        poll_seconds=0.05,
        tell=lambda _: None,
    )


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def serve() -> None:
    """Answer until standard input ends; the address is the first line of standard output."""
    from sft_pipeline_tests.judge_server.brain import MODEL
    from sft_pipeline_tests.judge_server.server import judge_server

    with judge_server(models=(MODEL, "judge-1")) as served:
        print(served.url, flush=True)
        sys.stdin.read()


def measured(count: int) -> dict[str, object]:
    """Both passes, in this process, against a service in another one."""
    command = [sys.executable, "-m", "bench.labels", "--serve"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service,
    ):
        if service.stdout is None or service.stdin is None:
            raise SystemExit("the service has no pipes")
        url = service.stdout.readline().strip()
        requests = made_requests(count)
        first = labelled(url, Path(folder), requests)
        again = labelled(url, Path(folder), requests)
        service.stdin.close()
    return {"id": "labels", "requests": count, "first": first, "again": again, "rss_mb": round(peak_mb())}


def main() -> None:
    """The service, or the measurement with its limits."""
    parser = argparse.ArgumentParser(prog="bench.labels", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    os.environ.setdefault("SFT_JUDGE_API_KEY", "none-needed")
    told = measured(options.requests)
    first, again = told["first"], told["again"]
    if not isinstance(first, dict) or not isinstance(again, dict) or again["asked"]:
        raise SystemExit("the second pass asked for what was known")
    limits = {"processor_seconds": SECONDS_ALLOWED, "rss_mb": MEGABYTES_ALLOWED}
    print(json.dumps({**told, "limits": limits}, indent=2))


if __name__ == "__main__":
    main()
