"""Ours: a split is labelled through the label store, by files of the Batch API. `... URL REQUESTS ASKING FOLDER`.

Every answer is journaled before it counts, paid for within a budget, and known by judge, prompt, parameters and text;
a killed run finds the batches that it had sent. A second pass, told beside, labels the same requests from the store
alone.
"""

import os
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import openai  # noqa: F401 - it is loaded when a judge is opened: start-up is not what is measured
import polars as pl

from bench.labels.answers import Clock, tell_labels
from bench.labels.inputs import MODEL, PROMPT, production_routers
from sft_pipeline.clients.judges.opening import open_judge
from sft_pipeline.clients.judges.protocol import Judge
from sft_pipeline.clients.labelling.budget import Budget
from sft_pipeline.clients.labelling.desk import open_desk
from sft_pipeline.clients.labelling.progress import LabelProgress
from sft_pipeline.clients.labelling.splits import SplitLabelling, judge_split
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.judge_knobs import Judging
from sft_pipeline.curation.router_tables import Request
from sft_pipeline.curation.tables import schema_of
from sft_pipeline.plans import read_plan


def main(url: str, requests: Path, folder: Path) -> None:
    """Both passes."""
    os.environ.setdefault("SFT_JUDGE_API_KEY", "none-needed")
    clock = Clock()
    labels, asked = one_pass(url, requests, folder)
    first = clock.told()
    clock = Clock()
    again, asked_again = one_pass(url, requests, folder)
    if not again.equals(labels) or asked_again:
        raise SystemExit("the second pass asked for what was known, or found other labels")
    tell_labels(first, labels.rows(), asked=asked, from_store=clock.told()[0])


def one_pass(url: str, requests: Path, folder: Path) -> tuple[pl.DataFrame, int]:
    """The labels, written to Parquet, and how many the judge was asked for."""
    with labelling(url, folder) as split:
        rows = pl.read_parquet(requests).select(schema_of(Request).names())
        labels = judge_split(rows, split).table().select("requestId", "label")
        with (folder / "labels.parquet").open("wb") as file:
            labels.write_parquet(file)
            os.fsync(file.fileno())
        return labels, split.main.asked


@contextmanager
def labelling(url: str, folder: Path) -> Generator[SplitLabelling]:
    """All that a split of the conversation router is labelled with, every request of it."""
    routers = production_routers()
    judging = routers.judging.model_copy(update={"stop_when_filled": False, "max_cost": 0.0})
    routers = routers.model_copy(update={"judging": judging})
    plan = read_plan("production").model_copy(update={"routers": routers})
    store, budget = LabelStore(str(folder / "labels"), folder / "journals"), Budget(0.0, judging.price)
    with closing(batch_judge(url, folder, judging)) as judge, open_desk(store, judge, budget, "bench") as desk:
        split = ("conversation_router", "train", desk, desk, ())
        yield SplitLabelling(plan, routers, *split, progress=LabelProgress(), log=lambda _: None)


def batch_judge(url: str, folder: Path, judging: Judging) -> Judge:
    """The service as a judge that is asked by files."""
    return open_judge(
        kind="openai",
        model=MODEL,
        base_url=url,
        mode="batch",
        concurrency=8,
        prompt_name=PROMPT,
        parameters=judging.parameters,
        price=judging.price,
        run="bench",
        batches=folder / "batches",
        poll_seconds=0.05,
        tell=lambda _: None,
    )


if __name__ == "__main__":
    with TemporaryDirectory(dir=sys.argv[4]) as name:
        main(sys.argv[1], Path(sys.argv[2]), Path(name))
