"""Where questions are handed in: what the label store knows is not asked again, what is asked is kept at once.

Belongs here: store, judge and budget working together. Does not belong here: which questions are asked (splits).
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sft_pipeline.clients.judges.protocol import Judge
from sft_pipeline.clients.labelling.budget import Budget
from sft_pipeline.clients.labels.asks import decided
from sft_pipeline.clients.labels.store import LabelStore
from sft_pipeline.curation.heuristic import heuristic_text
from sft_pipeline.curation.judging import Ask, Identity, Question, input_text, question_key
from sft_pipeline.curation.router_tables import SIGNALS

Keep = Callable[[Ask], None]


def question_of(row: Mapping[str, object], identity: Identity, *, occasion: str = "") -> Question:
    """A request as a question to a judge.

    Args:
        row: of `Request`, or a canary with the same fields.
        identity: the judge.
        occasion: as `question_key` has it.
    """
    request, history = str(row["request"]), str(row["history"])
    signals = {name: value if isinstance(value := row[name], int) else None for name in SIGNALS}
    text = heuristic_text(signals) if identity.kind == "heuristic" else input_text(request, history)
    return Question(question_key(identity, text, occasion=occasion), request, history, signals)


@dataclass
class Desk:
    """A judge with its label store.

    Args:
        store: knows what was answered before.
        judge: is asked the rest.
        budget: shared by the desks of a window.
        keep: makes an answer durable.
        asked: how many questions were decided by asking; a judge that never asks decides none.
    """

    store: LabelStore
    judge: Judge
    budget: Budget
    keep: Keep
    asked: int = 0

    @property
    def identity(self) -> Identity:
        """Who is asked."""
        return self.judge.identity

    def answers(self, questions: Sequence[Question]) -> Generator[list[Ask]]:
        """All answers to each question, in order; the last one decides.

        A question with two answers that are none is not asked again. Nobody who stops early pays for more than what is
        under way.

        Raises:
            BudgetSpent: no further question may be asked.
            Refused: the judge cannot be asked.
        """
        known = self.store.lookup(self.identity, [question.key for question in questions])
        open_ones = {question.key: question for question in questions if decided(known.get(question.key, [])) is None}
        received: dict[str, list[Ask]] = {key: [] for key in open_ones}
        try:
            with closing(self._ask(list(open_ones.values()), known, received)) as new:
                for question in questions:
                    if question.key in open_ones:
                        last = next(new, None)
                        if last is None:
                            raise self.budget.refusal()
                        del open_ones[question.key]
                        mine = received.pop(question.key)
                        self.asked += bool(mine)
                        self.budget.release([question.key])  # nothing of it is under way any more, kept or not
                        known[question.key] = [*known.get(question.key, []), *mine] if mine else [last]
                    yield known[question.key]
        finally:
            self.budget.release(open_ones)

    def _ask(
        self, questions: Sequence[Question], known: Mapping[str, Sequence[Ask]], received: Mapping[str, list[Ask]]
    ) -> Generator[Ask]:
        """The deciding answers, in order; all of them, as they come, go to the store and to `received`."""

        def keep(ask: Ask) -> None:
            self.keep(ask)
            self.budget.paid(ask)
            if ask.key in received:  # a batch of an earlier run may answer more than is asked now
                received[ask.key].append(ask)

        first = {question.key: known[question.key][0] for question in questions if question.key in known}
        return self.judge.answers(self.budget.allowed(questions), keep, known=first)


@contextmanager
def open_desk(store: LabelStore, judge: Judge, budget: Budget, run: str) -> Generator[Desk]:
    """A desk whose answers are kept as they come; `run` is what they are asked for, as the ledger tells it."""
    with store.writing(judge.identity, run) as writer:
        yield Desk(store, judge, budget, writer.keep)
