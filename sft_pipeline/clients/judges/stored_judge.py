"""A judge that cannot be asked any more, or shall not be: only what is in the label store counts.

Belongs here: telling so. Does not belong here: looking up (clients.labels).
"""

from collections.abc import Generator, Iterable, Mapping
from datetime import UTC, datetime

from sft_pipeline.clients.judges.local_judge import LocalJudge
from sft_pipeline.clients.judges.protocol import Keep
from sft_pipeline.curation.judging import NOT_STORED, Ask, Question


class StoredJudge(LocalJudge):
    """Never asks: whoever comes to it finds no label, and that is not kept, for it may be imported later."""

    def answers(
        self,
        questions: Iterable[Question],
        keep: Keep,  # noqa: ARG002 - of the interface
        *,
        known: Mapping[str, Ask],  # noqa: ARG002 - of the interface
    ) -> Generator[Ask, None, None]:
        """See `Judge`."""
        at = datetime.now(UTC)
        for question in questions:
            yield Ask(
                key=question.key,
                attempt=2,
                label=None,
                probability=None,
                reason=NOT_STORED,
                served_model=None,
                prompt_tokens=0,
                completion_tokens=0,
                cost=0.0,
                mode="local",
                at=at,
                run=self.run,
            )
