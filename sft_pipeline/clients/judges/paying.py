"""From an answer to a row of the ledger.

Belongs here: what it cost, and that Ask alone has all fields. Does not belong here: keeping it (clients.labels).
"""

from dataclasses import dataclass
from datetime import datetime

from sft_pipeline.clients.judges.completions import Answer
from sft_pipeline.curation.judge_knobs import Price
from sft_pipeline.curation.judging import Ask, Mode

PER_MILLION = 1_000_000


@dataclass(frozen=True)
class Paying:
    """Who pays how much.

    Args:
        price: per million tokens.
        mode: how is asked; a batch costs less.
        run: the id of the run that asks.
    """

    price: Price
    mode: Mode
    run: str

    def ask(self, key: str, attempt: int, answer: Answer, *, at: datetime, run: str = "") -> Ask:
        """The answer to a question as it is kept.

        Args:
            key: of the question.
            attempt: 1, or 2 for a re-ask.
            answer: what came back.
            at: when.
            run: the one that asked, where it was an earlier one.
        """
        return Ask(
            key=key, attempt=attempt, **answer._asdict(), cost=self.cost(answer), mode=self.mode, at=at,
            run=run or self.run,
        )  # fmt: skip

    def cost(self, answer: Answer) -> float:
        """Of an answer, in the plan's currency."""
        full = answer.prompt_tokens * self.price.input + answer.completion_tokens * self.price.output
        return full / PER_MILLION * (1 - self.price.batch_discount if self.mode == "batch" else 1)
