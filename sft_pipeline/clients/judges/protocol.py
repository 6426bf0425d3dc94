"""What every judge offers, whoever it is.

Belongs here: the interface and the failure that ends an asking. Does not belong here: any judge.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Protocol

from sft_pipeline.curation.judging import Ask, Identity, Question
from sft_pipeline.curation.refusal import Refused

Keep = Callable[[Ask], None]
"""Called with every answer the moment it is there, from any thread; when it returns, the answer is safe."""

Tell = Callable[[str], None]
"""Called with what there is to wait for, in words; with nothing when the waiting is over."""

TOO_LONG = "too_long_for_judge"
"""The reason of a request that the model's context cannot hold."""


class Judge(Protocol):
    """Whoever gives labels."""

    @property
    def identity(self) -> Identity:
        """Who it is, exactly."""
        ...

    @property
    def at_once(self) -> int:
        """How many questions it wants per call: enough to be at its best, few enough to be held in memory."""
        ...

    def close(self) -> None:
        """Let go of its connections; it cannot be asked any more."""
        ...

    @property
    def at_least(self) -> int:
        """How many it is worth asking together: a batch of a few takes as long as a large one."""
        ...

    def answers(
        self, questions: Iterable[Question], keep: Keep, *, known: Mapping[str, Ask]
    ) -> Generator[Ask, None, None]:
        """The ask that decides each question, in the order of the questions.

        Questions are taken no earlier than needed: a caller who closes the generator pays for what is under way, which
        is waited for and kept, and for no more.

        Args:
            questions: each key once.
            keep: gets every answer, also one that is asked again.
            known: by key, first answers from an earlier call that were none and are still to be asked again.

        Raises:
            JudgeFailed: the judge cannot be asked; the answers that came before are kept.
        """
        ...


class JudgeFailed(Refused):
    """A judge gave no answer, and asking on is useless for now; neither the text nor a key is told.

    Args:
        judge: its name.
        what: what went wrong.
        remedy: what the user can do.
    """

    def __init__(self, judge: str, what: str, *, remedy: str) -> None:
        super().__init__(f"judge {judge}: {what}", remedy=remedy)
