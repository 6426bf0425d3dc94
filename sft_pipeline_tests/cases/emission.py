"""What the chat client sends for a turn, as raw events.

Belongs here: the client's behaviour, good and odd, one small function per event.
Does not belong here: which conversations there are, or what becomes of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sft_pipeline.telemetry.events import (
    ENGINE_MESSAGES,
    MESSAGE_TEXT,
    SESSION_MESSAGE,
    SESSION_RESPONSE,
    TOOL_CALL_DETAILS,
)
from sft_pipeline_tests.cases.event import SECOND, Event

WINDOW_START = datetime(2026, 10, 17, tzinfo=UTC)
WINDOW_END = datetime(2026, 11, 1, tzinfo=UTC)
BEGIN = datetime(2026, 10, 20, 9, tzinfo=UTC)
"""When every conversation begins; its turn n is asked 600 n seconds later unless the turn says otherwise."""
ROUND = 10 * SECOND


@dataclass(frozen=True)
class Turn:
    """A request and what the client does for it: a round per model response, 10 seconds each, then the final answer.

    Args:
        index: 1-based; sent 0-based on user messages.
        user: the request, `Question <index>` unless given.
        rounds: the text of each round's response, `Answer <index>` unless given; the final answer
            is the last of them once more.
        at: seconds after `BEGIN`.
        response_type: of the tool call details; None when they got lost. A failure ends with a failed call.
        part: longest property of a client that spreads long texts over `messageText_02`, ...
        prompt_tokens: per round; a round without is one of a provider that counts none.
        final_after: seconds from the last round to the final answer; None when it got lost.
    """

    index: int
    user: str | None = None
    rounds: tuple[str, ...] | None = None
    at: float | None = None
    id: str | None = None
    mode: str | None = "agent"
    user_name: str = "ada"
    model: str = "gpt-5"
    response_type: str | None = "success"
    tool_counts: str | None = '{"read_file":1}'
    num_requests: int = 1
    prompt_tokens: tuple[int | None, ...] | None = None
    part: int | None = None
    final_after: float | None = 1
    sub_type: str | None = None

    @property
    def request(self) -> str:
        """The text of the user message."""
        return f"Question {self.index}" if self.user is None else self.user

    @property
    def responses(self) -> tuple[str, ...]:
        """The text of each round."""
        return (f"Answer {self.index}",) if self.rounds is None else self.rounds

    @property
    def begin(self) -> datetime:
        """When the request is made; its first round is told 10 seconds later."""
        return BEGIN + SECOND * (600 * self.index if self.at is None else self.at)

    @property
    def failed(self) -> bool:
        """Whether the turn ends with a call that gives nothing."""
        return self.response_type not in {"success", "", None}

    def tokens(self, number: int) -> int | None:
        """The prompt tokens of a round: 1000 a turn and 100 a round unless given."""
        return 1000 * self.index + 100 * number if self.prompt_tokens is None else self.prompt_tokens[number - 1]


def conversation(name: str | None, *turns: Turn) -> tuple[Event, ...]:
    """All events of a conversation, turn by turn."""
    return tuple(event for turn in turns for event in turn_events(name, turn))


def turn_events(name: str | None, turn: Turn) -> Iterator[Event]:
    """The events of one turn; ids are `<conversation>/<turn>`, `.../final` and `.../call-<round>` unless given."""
    message = turn.id or f"{name}/{turn.index}"
    for number, text in enumerate(turn.responses, start=1):
        time = turn.begin + number * ROUND
        yield from _call(name, message, turn, number, time)
        yield _user_message(name, message, turn, time)
        yield _model_message(name, message, turn, text, time)
        yield from _session_pair(name, message, turn, text, time)
    end = turn.begin + len(turn.responses) * ROUND
    if turn.failed:
        yield from failed_call(name, message, end + ROUND)
        yield _user_message(name, message, turn, end + ROUND)
    elif turn.final_after is not None:
        yield final_answer(name, turn, end + turn.final_after * SECOND)
    if turn.response_type is not None:
        yield _details(name, message, turn, end + ROUND + SECOND)


def final_answer(name: str | None, turn: Turn, time: datetime) -> Event:
    """The last round's text once more, under an id that no user message has."""
    return _model_message(name, f"{turn.id or f'{name}/{turn.index}'}/final", turn, turn.responses[-1], time)


def output_call(
    name: str | None, message: str | None, time: datetime, *, source: str = "chat.editAgent", call: str = "call"
) -> Event:
    """The output side of a model call that is no round of a turn, such as one for a title."""
    properties = {
        "conversationId": name,
        "messageId": message,
        "modelCallId": call,
        "baseModel": "gpt-5-mini",
        "message_direction": "output",
        "messageSource": source,
    }
    return Event(time, ENGINE_MESSAGES, properties, {"promptTokens": 7, "completionTokens": 7, "totalTokens": 14})


def failed_call(name: str | None, message: str, time: datetime) -> Iterator[Event]:
    """A call that failed: its input is told, an output never comes."""
    properties = {
        "conversationId": name,
        "messageId": message,
        "modelCallId": f"{message}/failed",
        "message_direction": "input",
        "messageSource": "chat.editAgent",
    }
    yield Event(time, ENGINE_MESSAGES, properties, {"maxTokenWindow": 128_000})


def _call(name: str | None, message: str, turn: Turn, number: int, time: datetime) -> Iterator[Event]:
    shared = {
        "conversationId": name,
        "messageId": message,
        "modelCallId": f"{message}/call-{number}",
        "messageSource": "chat.editAgent",
        "subType": turn.sub_type,
    }
    tokens = turn.tokens(number)
    told = {"promptTokens": tokens, "completionTokens": None if tokens is None else 10}
    yield Event(time, ENGINE_MESSAGES, {**shared, "message_direction": "input"}, {"maxTokenWindow": 128_000})
    output = {**shared, "message_direction": "output", "baseModel": turn.model}
    yield Event(time, ENGINE_MESSAGES, output, told)


def _user_message(name: str | None, message: str, turn: Turn, time: datetime) -> Event:
    shared = _message(name, message, turn, "user")
    properties = {**shared, "turnIndex": str(turn.index - 1), **_text(turn.request, turn.part)}
    return Event(time, MESSAGE_TEXT, properties, {"messageCharLen": _utf16_length(turn.request), "promptTokenLen": 5})


def _model_message(name: str | None, message: str, turn: Turn, text: str, time: datetime) -> Event:
    shared = _message(name, message, turn, "model")
    properties = {**shared, "turnIndex": str(turn.index), **_text(text, turn.part)}
    return Event(time, MESSAGE_TEXT, properties, {"messageCharLen": _utf16_length(turn.request)})


def _message(name: str | None, message: str, turn: Turn, source: str) -> dict[str, str | None]:
    return {
        "conversationId": name,
        "messageId": message,
        "source": source,
        "mode": turn.mode,
        "uiKind": "conversationPanel",
        "common.userName": turn.user_name,
    }


def _text(text: str, part: int | None) -> dict[str, str | None]:
    """The properties that carry a text; an empty text is not sent."""
    length = part or max(len(text), 1)
    parts = [text[start : start + length] for start in range(0, len(text), length)]
    names = ["messageText", *(f"messageText_{number:02d}" for number in range(2, len(parts) + 1))]
    return dict(zip(names, parts, strict=False))


def _session_pair(name: str | None, message: str, turn: Turn, text: str, time: datetime) -> Iterator[Event]:
    shared = {"sessionId": name, "requestId": message, "chatLocation": "panel", "baseModel": turn.model}
    yield Event(time, SESSION_MESSAGE, {**shared, "query": turn.request}, {"turnNumber": turn.index})
    response = {**shared, "request": turn.request, "response": text}
    yield Event(time, SESSION_RESPONSE, response, {"turnNumber": turn.index})


def _details(name: str | None, message: str, turn: Turn, time: datetime) -> Event:
    properties = {
        "conversationId": name,
        "messageId": message,
        "intentId": "editAgent",
        "responseType": turn.response_type,
        "toolCounts": turn.tool_counts,
        "model": turn.model,
    }
    duration = 10_000 * len(turn.responses)
    measurements = {"numRequests": turn.num_requests, "turnIndex": turn.index, "turnDuration": duration}
    return Event(time, TOOL_CALL_DETAILS, properties, measurements)


def _utf16_length(text: str) -> int:
    """The client counts as JavaScript does."""
    return len(text.encode("utf-16-le")) // 2
