"""What may be spent, what was, and what the questions to come will cost about.

Belongs here: counting money and holding back questions. Does not belong here: what an answer cost (clients.judges).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from sft_pipeline.curation.judge_knobs import Price
from sft_pipeline.curation.judging import CONFLICT, Ask, Question
from sft_pipeline.curation.refusal import Refused

BYTES_PER_TOKEN = 3.5
"""Of UTF-8, in the vocabularies of current models: English and code have a little more, a Chinese character has 3."""

PROMPT_TOKENS = 800
"""About what the longest prompt that comes with the project takes with its wrapping."""

ANSWER_TOKENS = 2


def tokens_of(text: str) -> float:
    """About how many tokens a text has."""
    return len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN


class BudgetSpent(Refused):
    """The plan's `max_cost` lets no further question be asked; what was answered is kept."""


@dataclass
class Budget:
    """Money for the labels of a window.

    Args:
        limit: 0 is none.
        price: of the judge's tokens.
        share: of the price that is paid: a batch costs less, what is computed here nothing.
        spent: so far, earlier runs included.
        prompt_tokens: of the longest prompt that is asked with.
        most_answer_tokens: that an answer may have, those of a reasoning model's thoughts included.
    """

    limit: float
    price: Price
    share: float = 1.0
    spent: float = 0.0
    prompt_tokens: float = PROMPT_TOKENS
    most_answer_tokens: int = ANSWER_TOKENS
    _under_way: dict[str, float] = field(default_factory=dict[str, float])
    _reserved: float = 0.0
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def is_for_money(self) -> bool:
        """Whether answers cost anything."""
        return self.share > 0

    def estimate(self, question: Question) -> float:
        """About what an answer to a question costs, a digit."""
        return self._cost(question, ANSWER_TOKENS)

    def allowed(self, questions: Iterable[Question]) -> Iterator[Question]:
        """The questions, as long as those under way leave room for another one."""
        for question in questions:
            cost = self._cost(question, self.most_answer_tokens)
            with self._lock:
                if self.limit and self.spent + self._reserved + cost > self.limit:
                    return
                self._under_way[question.key] = cost
                self._reserved += cost
            yield question

    def paid(self, ask: Ask) -> None:
        """An answer came."""
        with self._lock:
            self.spent += ask.cost
        if ask.decides or ask.reason == CONFLICT:
            self.release([ask.key])

    def release(self, keys: Iterable[str]) -> None:
        """Questions are not under way any more, answered or not; what is left for them is there for others."""
        with self._lock:
            for key in keys:
                self._reserved -= self._under_way.pop(key, 0.0)

    def told(self) -> str:
        """What was spent, of how much."""
        of = f" of {self.limit:,.2f}" if self.limit else ""
        return f"{self.spent:,.2f}{of} {self.price.currency}"

    def _cost(self, question: Question, answer_tokens: int) -> float:
        length = sum(tokens_of(text) for text in (question.request, question.history))
        read = self.prompt_tokens + length
        return self.share * (read * self.price.input + answer_tokens * self.price.output) / 1e6

    def refusal(self) -> BudgetSpent:
        """Why no further question is asked."""
        return BudgetSpent(
            f"max_cost leaves no room for another question: {self.told()} spent on this window",
            remedy="raise routers.judging.max_cost, or lower the totals; what was answered is kept and not paid again",
        )
