"""The offline stand-in as a judge.

Belongs here: asking it like any other. Does not belong here: how it labels (curation.heuristic).
"""

from collections.abc import Generator, Iterable, Mapping
from datetime import UTC, datetime

from sft_pipeline.clients.judges.local_judge import LocalJudge
from sft_pipeline.clients.judges.protocol import Keep
from sft_pipeline.curation.heuristic import heuristic_ask
from sft_pipeline.curation.judging import Ask, Question


class HeuristicJudge(LocalJudge):
    """Labels by proxies, here and for nothing."""

    def answers(
        self,
        questions: Iterable[Question],
        keep: Keep,
        *,
        known: Mapping[str, Ask],  # noqa: ARG002 - of the interface
    ) -> Generator[Ask, None, None]:
        """See `Judge`; an answer that is known already would be the same again, and decides at once anyway."""
        at = datetime.now(UTC)
        for question in questions:
            ask = heuristic_ask(question, self.identity, at=at, run=self.run)
            keep(ask)
            yield ask
