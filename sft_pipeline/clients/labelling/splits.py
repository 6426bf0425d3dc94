"""The verdicts of a split: the priority order is walked until every class has as many as the plan's totals need.

Belongs here: which requests are judged, and stopping. Does not belong here: asking (desk), what shows how far the
labels can be trusted (trust), when a class is full (curation.filling).
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from sft_pipeline.clients.labelling.desk import Desk, question_of
from sft_pipeline.clients.labelling.progress import LabelProgress
from sft_pipeline.clients.labels.asks import decided
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.filling import Quotas, rows_to_fill
from sft_pipeline.curation.judging import LANGUAGE_MODELS, SUSPECT, Ask, Identity, Question
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.router_tables import Verdict
from sft_pipeline.curation.routers import RouterName, Routers
from sft_pipeline.curation.tables import schema_of

ESTIMATED_AT_ONCE = 10_000

Row = Mapping[str, Any]

LOGGED_EVERY = 1_000
"""Verdicts between two lines of the log."""


@dataclass(frozen=True)
class SplitLabelling:
    """What a split is labelled with.

    Args:
        routers: the plan's knobs.
        main: judges.
        second: gives the second opinion.
        accepted: imported judges whose labels count as the main one's.
        progress: is told how it goes on.
        log: is told what is worth a line.
    """

    plan: Plan
    routers: Routers
    router: RouterName
    split: str
    main: Desk
    second: Desk
    accepted: tuple[Identity, ...]
    progress: LabelProgress
    log: Callable[[str], None]

    @property
    def store(self) -> LabelStore:
        """Where answers are kept."""
        return self.main.store


@dataclass
class Judged:
    """Verdicts in priority order, and what they cost."""

    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    asks: list[Ask] = field(default_factory=list[Ask])

    def table(self) -> pl.DataFrame:
        """The verdicts as a `Verdict` frame."""
        return pl.DataFrame(self.rows, schema=schema_of(Verdict), orient="row")


def judge_split(requests: pl.DataFrame, labelling: SplitLabelling) -> Judged:
    """Judge the shortest prefix of the priority order that fills the quotas, or all where the plan says so.

    Args:
        requests: `Request` rows of the split; those that are left out are not judged.
        labelling: with what.

    Raises:
        BudgetSpent: the plan's `max_cost` stops it; what was answered is kept.
        Refused: the judge cannot be asked.
    """
    judgeable = requests.filter(pl.col("leftOut").is_null())
    quotas, judged = Quotas.of(labelling.plan, labelling.router, labelling.split), Judged()
    labelling.progress.start(f"{labelling.router} {labelling.split}")
    _tell_estimate(judgeable, labelling, quotas)
    while not _is_enough(quotas, labelling) and len(judged.rows) < judgeable.height:
        block = judgeable.slice(len(judged.rows), _round(quotas, labelling))
        with closing(_verdicts(block.rows(named=True), labelling)) as verdicts:
            for row, verdict, asks in verdicts:
                judged.rows.append(verdict)
                judged.asks += asks
                if verdict["label"] is not None:
                    quotas.take(verdict["label"], row["turnPosition"])
                _count(labelling, verdict, quotas)
                if len(judged.rows) % LOGGED_EVERY == 0:
                    labelling.log(labelling.progress.told())
                if _is_enough(quotas, labelling):
                    break
    labelling.log(labelling.progress.told())
    return judged


def _is_enough(quotas: Quotas, labelling: SplitLabelling) -> bool:
    return labelling.routers.judging.stop_when_filled and quotas.filled


def _round(quotas: Quotas, labelling: SplitLabelling) -> int:
    """How many requests are looked at together: no more than are expected to be needed."""
    most = labelling.main.judge.at_once
    if not labelling.routers.judging.stop_when_filled:
        return most
    needed = rows_to_fill(quotas, labelling.progress.label0, labelling.progress.label1)
    return min(most, max(labelling.main.judge.at_least, needed))


def _verdicts(rows: Sequence[Row], labelling: SplitLabelling) -> Generator[tuple[Row, dict[str, Any], list[Ask]]]:
    """Each request with its verdict and the answers behind it, in order."""
    taken_over = _accepted(rows, labelling)
    asked = [row for row in rows if row["requestId"] not in taken_over]
    answers = labelling.main.answers([question_of(row, labelling.main.identity) for row in asked])
    with closing(answers):
        for row in rows:
            if found := taken_over.get(row["requestId"]):
                identity, ask = found
                yield row, *_second_look(row, _verdict(row, ask, identity), [ask], labelling)
            else:
                asks = next(answers)
                verdict = _verdict(row, asks[-1], labelling.main.identity)
                yield row, *_second_look(row, verdict, asks, labelling)


def _accepted(rows: Sequence[Row], labelling: SplitLabelling) -> dict[str, tuple[Identity, Ask]]:
    """The labels of accepted judges, by request id; the first judge that has one counts."""
    found: dict[str, tuple[Identity, Ask]] = {}
    for identity in labelling.accepted:
        keys = {row["requestId"]: question_of(row, identity).key for row in rows if row["requestId"] not in found}
        known = labelling.store.lookup(identity, list(keys.values()))
        for request_id, key in keys.items():
            ask = decided(known.get(key, []))
            if ask is not None and ask.label is not None:
                found[request_id] = (identity, ask)
    return found


def _second_look(
    row: Row, verdict: dict[str, Any], asks: list[Ask], labelling: SplitLabelling
) -> tuple[dict[str, Any], list[Ask]]:
    """A request that reads like an order to the judge keeps its label only if the second judge gives the same."""
    if not row["suspect"] or verdict["label"] is None or labelling.second.identity.kind not in LANGUAGE_MODELS:
        return verdict, asks
    [others] = labelling.second.answers([question_of(row, labelling.second.identity)])
    second = others[-1].label
    told = {"secondLabel": second}
    if second != verdict["label"]:
        told |= {"label": None, "probability": None, "reason": SUSPECT}
    return {**verdict, **told}, [*asks, *others]


def _verdict(row: Row, ask: Ask, identity: Identity) -> dict[str, Any]:
    return {
        "requestId": row["requestId"],
        "priority": row["priority"],
        "label": ask.label,
        "probability": ask.probability if ask.label is not None else None,
        "reason": None if ask.label is not None else ask.reason,
        "judge": identity.name,
        "prompt": identity.prompt,
        "servedModel": ask.served_model,
        "retestLabel": None,
        "secondLabel": None,
        "humanLabel": None,
    }


def _count(labelling: SplitLabelling, verdict: Mapping[str, Any], quotas: Quotas) -> None:
    progress = labelling.progress
    if verdict["label"] is None:
        progress.unlabelled += 1
    elif verdict["label"]:
        progress.label1 += 1
    else:
        progress.label0 += 1
    progress.asked, progress.wanted = labelling.main.asked, quotas.told()
    progress.money = labelling.main.budget.told() if labelling.main.budget.is_for_money else ""


def _tell_estimate(judgeable: pl.DataFrame, labelling: SplitLabelling, quotas: Quotas) -> None:
    """How much is to be asked at least, and what it will cost about, before anything is."""
    least = rows_to_fill(quotas, 0, 0) if labelling.routers.judging.stop_when_filled else judgeable.height
    first, budget, new, cost = judgeable.head(least), labelling.main.budget, 0, 0.0
    for block in first.iter_slices(ESTIMATED_AT_ONCE):
        questions = _new_questions(block.rows(named=True), labelling)
        new, cost = new + len(questions), cost + sum(map(budget.estimate, questions))
    money = f", for about {cost:,.2f} {budget.price.currency}" if budget.is_for_money else ""
    labelling.log(
        f"{labelling.router} {labelling.split}: {judgeable.height:,} requests can be judged, at least {first.height:,} "
        f"are needed; of these {new:,} are to be asked of {labelling.main.identity.name}{money}"
    )


def _new_questions(rows: Sequence[Row], labelling: SplitLabelling) -> list[Question]:
    """What nobody has answered yet, each question once."""
    taken_over = _accepted(rows, labelling)
    asked = [question_of(row, labelling.main.identity) for row in rows if row["requestId"] not in taken_over]
    known = labelling.store.lookup(labelling.main.identity, [question.key for question in asked])
    return list({question.key: question for question in asked if decided(known.get(question.key, [])) is None}.values())
