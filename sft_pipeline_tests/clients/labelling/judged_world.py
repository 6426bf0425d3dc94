"""Judges that count what they are asked, and splits that are labelled by them with a real label store.

Belongs here: judges, plans with few rows, one run of labelling. Does not belong here: requests (labels_world).
"""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from sft_pipeline.clients.judges.model import identity_of
from sft_pipeline.clients.judges.protocol import Judge, Keep
from sft_pipeline.clients.labelling.budget import Budget
from sft_pipeline.clients.labelling.desk import Desk, open_desk
from sft_pipeline.clients.labelling.people import PeopleLabels
from sft_pipeline.clients.labelling.progress import LabelProgress
from sft_pipeline.clients.labelling.splits import Judged, SplitLabelling, judge_split
from sft_pipeline.clients.labelling.trust import account_of, with_people, with_second_looks
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.judge_knobs import Price, Share
from sft_pipeline.curation.judging import MALFORMED, Ask, Identity, Question
from sft_pipeline.curation.label_account import LabelAccount
from sft_pipeline.curation.plan import Plan
from sft_pipeline.curation.requests import routers_of
from sft_pipeline.curation.routers import RouterName
from sft_pipeline.prompts import read_prompt
from sft_pipeline_tests.curation.labels_world import ROUTERS, request, requests, with_routers

FIRST: Identity = identity_of("openai", "model-a", read_prompt("session_router_1"), {"temperature": 0})
OTHER: Identity = identity_of("openai", "model-a", read_prompt("session_router_1b"), {"temperature": 0})
RUN, WINDOW = "test 2026-11-01", "2026-11-01"
PRICE = Price(input=1.0, output=1.0)
COST = 0.001
"""Of every answer of a `CountingJudge`."""

PROBABILITY: Mapping[int | None, float | None] = {0: 0.1, 1: 0.9, None: None}
"""Of label 1, by what a `CountingJudge` says."""

Says = Callable[[Question, int], int | None]
"""What a judge answers a question at an attempt; None is no label."""


def by_text(question: Question, attempt: int = 1) -> int:
    """Always the same for a text, each label about as often."""
    return sha256(question.request.encode()).digest()[0] % 2


def always(label: int | None) -> Says:
    """The same of everything."""
    return lambda _question, _attempt: label


@dataclass
class CountingJudge:
    """Answers several questions ahead of what is taken from it, as one that asks in parallel does.

    Args:
        identity: who it says it is.
        says: what it answers.
        ahead: how many are under way.
        at_once: how many it wants per call.
        at_least: how few it is worth asking together.
        served: the model that it says it used.
        fails_after: how many answers it gives before it cannot be asked any more.
        asked: every answer it gave: the question's key, and which attempt it was.
    """

    identity: Identity = FIRST
    says: Says = by_text
    ahead: int = 3
    at_once: int = 7
    at_least: int = 1
    served: str | None = "model-a-2026"
    failure: Exception | None = None
    fails_after: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def close(self) -> None:
        """Nothing is open."""

    @property
    def questions(self) -> list[str]:
        return list(dict.fromkeys(key for key, _ in self.asked))

    def answers(
        self, questions: Iterable[Question], keep: Keep, *, known: Mapping[str, Ask]
    ) -> Generator[Ask, None, None]:
        waiting: deque[Ask] = deque()
        for question in questions:
            waiting.append(self.settled(question, keep, known.get(question.key)))
            if len(waiting) >= self.ahead:
                yield waiting.popleft()
        yield from waiting

    def settled(self, question: Question, keep: Keep, ask: Ask | None) -> Ask:
        """The answer that decides."""
        while ask is None or not ask.decides:
            if self.failure and len(self.asked) >= self.fails_after:
                raise self.failure
            attempt = ask.attempt + 1 if ask else 1
            ask = self.answer(question, attempt)
            self.asked.append((question.key, attempt))
            keep(ask)
        return ask

    def answer(self, question: Question, attempt: int) -> Ask:
        """One answer."""
        label = self.says(question, attempt)
        return Ask(
            key=question.key,
            attempt=attempt,
            label=label,
            probability=PROBABILITY[label],
            reason=MALFORMED if label is None else None,
            served_model=self.served,
            prompt_tokens=300,
            completion_tokens=1,
            cost=COST,
            mode="sync",
            at=datetime.now(UTC),
            run=RUN,
        )


def other_judge(says: Says = by_text) -> CountingJudge:
    """The same model with another prompt."""
    return CountingJudge(OTHER, says)


def with_totals(train: int, **judging: Any) -> Plan:
    """A plan that wants half as many rows of each class for the train split."""
    totals = {**ROUTERS.training.totals, "train": train}
    return with_routers(
        training=ROUTERS.training.model_copy(update={"ratios": ("50r50n",), "totals": totals}),
        judging=ROUTERS.judging.model_copy(update=judging),
    )


def with_shares(retest: int = 0, second: int = 0, *, share: float = 0.0, train: int = 40, **trust: Any) -> Plan:
    """A plan that has so many asked twice."""
    plan = with_totals(train)
    shares = {
        "retest": Share(share=share, at_least=retest),
        "second": Share(share=share, at_least=second),
        "pairs_needed": 10,
        **trust,
    }
    routers = routers_of(plan)
    return plan.model_copy(
        update={"routers": routers.model_copy(update={"trust": routers.trust.model_copy(update=shares)})}
    )


def rows(count: int, **fields: Any) -> pl.DataFrame:
    """As many requests that can be judged, in priority order."""
    return requests([request(f"c-{number}", **fields) for number in range(count)])


def store_in(folder: Path) -> LabelStore:
    """A store as a process opens it."""
    return LabelStore(str(folder / "labels"), folder / "judging")


def spent_in(folder: Path) -> float:
    """What all asks in a store cost."""
    return float(store_in(folder).ledger()["cost"].sum())


@dataclass
class Run:
    """What came of labelling a split.

    Args:
        judged: verdicts, without second looks.
        verdicts: with them.
        account: of them all.
        told: the lines of the log.
        asked: how many questions were decided by asking the main judge.
    """

    judged: Judged
    verdicts: pl.DataFrame
    account: LabelAccount
    told: list[str]
    asked: int

    @property
    def labels(self) -> list[int | None]:
        return self.verdicts["label"].to_list()


@contextmanager
def opened(
    folder: Path,
    judge: Judge,
    *,
    second: Judge | None = None,
    plan: Plan,
    router: RouterName = "session_router",
    split: str = "train",
    limit: float = 0.0,
    share: float = 1.0,
    accepted: Sequence[Identity] = (),
    told: list[str] | None = None,
) -> Generator[SplitLabelling]:
    """What a split is labelled with in one process, what was spent before included."""
    store = store_in(folder)
    budget = Budget(limit, PRICE, share, spent_in(folder))
    log = (told if told is not None else list[str]()).append
    other = second or other_judge()
    with open_desk(store, judge, budget, RUN) as main, open_desk(store, other, budget, RUN) as desk:
        routers = routers_of(plan)
        yield SplitLabelling(plan, routers, router, split, main, desk, tuple(accepted), LabelProgress(), log)


def labelled(
    folder: Path,
    table: pl.DataFrame,
    judge: Judge,
    *,
    window: str = WINDOW,
    people: PeopleLabels | None = None,
    **options: Any,
) -> Run:
    """A split labelled as the asset does it."""
    told: list[str] = []
    with opened(folder, judge, told=told, **options) as labelling:
        judged = judge_split(table, labelling)
        asked = labelling.main.asked
        verdicts, more = with_second_looks(judged.table(), table, labelling, window)
        judged.asks += more
        verdicts = with_people(verdicts, table, people or PeopleLabels())
        account = account_of(table, verdicts, judged, labelling, window)
        return Run(judged, verdicts, account, told, asked)


def only_judged(folder: Path, table: pl.DataFrame, judge: Judge, **options: Any) -> Judged:
    """The verdicts alone, nobody asked twice."""
    with opened(folder, judge, **options) as labelling:
        return judge_split(table, labelling)


@contextmanager
def a_desk(folder: Path, judge: Judge, budget: Budget | None = None) -> Generator[Desk]:
    """One desk in one process."""
    with open_desk(store_in(folder), judge, budget or Budget(0.0, PRICE), RUN) as desk:
        yield desk


def most_asked(judge: CountingJudge) -> int:
    """How often the question that was asked most often was asked."""
    return max(Counter(judge.asked).values(), default=0)
