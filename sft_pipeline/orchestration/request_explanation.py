"""What became of requests and why, from what is stored: judged or left out, the verdict, the files that hold them.

Belongs here: following requests through the tables of a window. Does not belong here: conversations (explanation).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from sft_pipeline.clients.table_store import TableKey, TableStore
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import ROUTERS, RouterName
from sft_pipeline.curation.standing import Standing
from sft_pipeline.curation.variants import Variant

LEFT_OUT = {
    "continuation": "a button press, not a request",
    "empty": "nothing that a person would see",
    "too_long": "its line would be longer than the model to be trained takes",
    "same_text": "the same text stands earlier in the priority order",
}

Row = Mapping[str, Any]


def split_request_id(told: str) -> tuple[str, int | None]:
    """A conversation's id and, of a request's id, the turn index."""
    conversation_id, mark, turn = told.rpartition("#")
    return (conversation_id, int(turn)) if mark and turn.isascii() and turn.isdigit() else (told, None)


def explain_requests(
    conversation_id: str, turn: int | None, plan: Plan, tables: TableStore, window: str
) -> Iterator[Standing]:
    """The stations of a conversation's requests in both routers, or of the request of one turn.

    Args:
        conversation_id: whose.
        turn: a turn index; None for all.
        plan: one without routers has no requests.
        tables: of the plan.
        window: whose tables.
    """
    candidates = TableKey("conversations", window)
    if plan.routers is None or not tables.holds(candidates):
        return
    candidate = _row(tables, candidates, "conversationId", conversation_id)
    if candidate is None or (turn is not None and not 1 <= turn <= candidate["turnCount"]):
        return
    told = [
        station for router in ROUTERS for station in _stations_of_router(candidate, turn, router, plan, tables, window)
    ]
    yield from told
    release = TableKey("sft_release", window)
    if any(station.where.endswith("/sft_artifacts") for station in told) and tables.holds(release):
        yield Standing("sft_release", str(tables.read(release)["url"][0]))


def _stations_of_router(
    candidate: Row, turn: int | None, router: RouterName, plan: Plan, tables: TableStore, window: str
) -> Iterator[Standing]:
    split, asset = candidate["split"], f"{router}/requests"
    if split not in routers_of(plan).splits:
        yield Standing(asset, f"not judged: routers.training.totals has no split {split}")
        return
    key = TableKey(asset, window, split)
    if not tables.holds(key):
        return
    mine = tables.scan([key]).filter(conversationId=candidate["conversationId"]).drop("request", "history")
    rows = mine.sort("turnIndex").collect()
    if rows.is_empty():
        cell = f"{split}-{candidate['bucket']}"
        yield Standing(asset, f"not chosen: others of {cell} come first, and the plan says how many are judged")
    elif turn is not None and turn not in rows["turnIndex"]:
        yield Standing(asset, f"turn {turn}: not judged: this router looks at first requests alone")
    for row in rows.iter_rows(named=True):
        if turn in {None, row["turnIndex"]}:
            yield from _stations(row, router, plan, tables, window)


def _stations(request: Row, router: RouterName, plan: Plan, tables: TableStore, window: str) -> Iterator[Standing]:
    turn, split = f"turn {request['turnIndex']}", request["split"]
    reason = request["leftOut"]
    if reason:
        why = LEFT_OUT.get(reason, f"the same text stands in {reason.removeprefix('same_text_in_')}")
        yield Standing(f"{router}/requests", f"{turn}: not judged ({reason}): {why}")
        return
    told = f"{turn}: can be judged, {request['turnPosition']}, complexity {request['complexity']}"
    yield Standing(f"{router}/requests", told)
    verdicts = TableKey(f"{router}/verdicts", window, split)
    if not tables.holds(verdicts):
        return
    verdict = _row(tables, verdicts, "requestId", request["requestId"])
    yield Standing(f"{router}/verdicts", f"{turn}: {_judged(verdict)}")
    if verdict and verdict["label"] is not None:
        for variant in routers_of(plan).variants:
            if variant.split == split:
                yield from _placed(request, verdict["label"], router, variant, tables, window)


def _judged(verdict: Row | None) -> str:
    if verdict is None:
        return "not asked: the classes had as many as the totals need before its place in the priority order"
    others = [
        f"{name} {verdict[column]}"
        for name, column in (("asked again:", "retestLabel"), ("second opinion:", "secondLabel"))
        if verdict[column] is not None
    ]
    said = f"label {verdict['label']}" if verdict["label"] is not None else f"unlabelled ({verdict['reason']})"
    return ", ".join([f"{said} by {verdict['judge']}, prompt {verdict['prompt']}", *others])


def _placed(
    request: Row, label: int, router: RouterName, variant: Variant, tables: TableStore, window: str
) -> Iterator[Standing]:
    """The line of a variant's file that holds the request, or why none does."""
    key = TableKey(f"{router}/training_sets", window, variant.key)
    if not tables.holds(key):
        return
    ids = tables.scan([key]).select("requestId", "label").with_row_index("line", offset=1).collect()
    found = ids.filter(requestId=request["requestId"])
    if found.height:
        told = f"turn {request['turnIndex']}: line {found['line'][0]:,} of {router}/{variant.file_name}"
        yield Standing(f"{router}/sft_artifacts", told)
        return
    taken = ids.filter(label=label).height
    told = f"turn {request['turnIndex']}: not in {variant.key}: {taken:,} others with label {label} come first"
    yield Standing(f"{router}/training_sets", told)


def _row(tables: TableStore, key: TableKey, column: str, value: str) -> Row | None:
    found = tables.scan([key]).filter(pl.col(column) == value).collect()
    return next(found.iter_rows(named=True), None)
