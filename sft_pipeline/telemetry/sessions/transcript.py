"""Agent transcripts: JSONL of events that the Copilot agent appends, `session.start` first.

Belongs here: which events make up a turn.
Does not belong here: reading lines (fields).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sft_pipeline.telemetry.sessions.conversations import SUCCESS, Call, Conversation, Turn, copy_keys, derived_id
from sft_pipeline.telemetry.sessions.fields import count, entries, instant, record, text, walk

START = "session.start"

_TYPED = (None, "", "user")
"""`source` of messages that a person typed; skills and the system send messages too."""


@dataclass
class _Exchange:
    """A user message and the assistant messages up to the next one."""

    user: Mapping[str, object]
    model: str
    rounds: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])


def is_transcript(values: Sequence[object]) -> bool:
    """Whether the lines of a file are such a transcript."""
    return record(values[0]).get("type") == START


def read_transcript(values: Sequence[object]) -> Conversation:
    """The conversation of a transcript; what a subagent said and messages that no person typed are left out."""
    start = record(values[0])
    exchanges = _exchanges([record(value) for value in values])
    turns = tuple(_turn(exchange) for exchange in exchanges)
    session_id = text(walk(start, "data", "sessionId"))
    fallback = derived_id("transcript", text(start.get("id")), *(turn.userMessage for turn in turns[:1]))
    return Conversation(
        conversationId=session_id or fallback,
        turns=turns,
        startedAt=_time(walk(start, "data", "startTime")) or _time(start.get("timestamp")),
        copyKeys=copy_keys(session_ids=[session_id], request_ids=[]),
    )


def _exchanges(events: Sequence[Mapping[str, object]]) -> list[_Exchange]:
    exchanges: list[_Exchange] = []
    model = ""
    for event in events:
        data = record(event.get("data"))
        model = text(data.get("newModel")) or text(data.get("selectedModel")) or model
        if event.get("type") == "user.message" and data.get("source") in _TYPED:
            exchanges.append(_Exchange(event, model))
        elif event.get("type") == "assistant.message" and exchanges and not data.get("parentToolCallId"):
            exchanges[-1].rounds.append(data)
    return exchanges


def _turn(exchange: _Exchange) -> Turn:
    """A turn in agent mode; each assistant message is one round."""
    said = [text(item.get("content")).strip() for item in exchange.rounds]
    requests = [record(request) for item in exchange.rounds for request in entries(item.get("toolRequests"))]
    tools = Counter(name for request in requests if (name := text(request.get("name"))))
    return Turn(
        userMessage=text(walk(exchange.user, "data", "content")),
        mode="agent",
        messageId=text(exchange.user.get("id")),
        modelMessage="\n\n".join(filter(None, said)),
        model=exchange.model or None,
        responseType=SUCCESS if exchange.rounds else None,
        toolCounts=dict(sorted(tools.items())),
        numRequests=len(exchange.rounds) or None,
        calls=tuple(Call(completionTokens=count(item.get("outputTokens"))) for item in exchange.rounds),
        sentAt=_time(exchange.user.get("timestamp")),
    )


def _time(value: object) -> datetime | None:
    """ISO 8601 or milliseconds since 1970."""
    try:
        parsed = datetime.fromisoformat(text(value))
    except ValueError:
        return instant(value)
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
