"""A case: one conversation as it was sent, and by hand what must become of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sft_pipeline_tests.cases.event import Event


@dataclass(frozen=True, kw_only=True)
class Case:
    """A conversation and its expected outcome.

    Args:
        name: says what happened; also the conversationId unless `id` is given.
        quirk: of docs/05_DATA_QUIRKS.md; empty where nothing is odd.
        drop_reason: empty for a candidate, None when the conversation is not looked at.
        finals: the modelMessage of each turn; none for a dropped conversation.
        repairs: the counts of repairs that are not zero.
        fields: further fields of the conversation.
        turns: turnIndex -> fields of that turn; `llmCalls` as their modelCallIds.
    """

    name: str
    events: tuple[Event, ...]
    quirk: str = ""
    id: str | None = None
    drop_reason: str | None = ""
    turn_count: int
    finals: tuple[str, ...] = ()
    repairs: Mapping[str, int]
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    turns: Mapping[int, Mapping[str, Any]] = field(default_factory=dict[int, Mapping[str, Any]])

    @property
    def conversation_id(self) -> str:
        """The conversationId under which the outcome stands."""
        return self.name if self.id is None else self.id
