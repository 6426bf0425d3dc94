"""From conversations to raw events: what a client would have sent, as far as the session tells.

Belongs here: which events a turn becomes, their properties and times.
Does not belong here: reading sessions, writing files (telemetry.events).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

import orjson
import polars as pl

from sft_pipeline.telemetry import events
from sft_pipeline.telemetry.sessions.conversations import Conversation, Turn, derived_id

_Value = TypeVar("_Value")

UNKNOWN_TIME = datetime(2025, 1, 1, tzinfo=UTC)
"""Start of conversations without any time: exports from before April 2025 carry none."""

_STEP = timedelta(seconds=1)
_LEAST_STEP = timedelta(milliseconds=1)
_TICK = timedelta(microseconds=1)
"""Between the events of one turn: sessions do not tell when each was sent, only their order matters."""


class Event(NamedTuple):
    """One raw event; the other columns are the same for all."""

    time: datetime
    name: str
    properties: Mapping[str, str]
    measurements: Mapping[str, int]


class _Place(NamedTuple):
    """Where in which conversation a turn stands."""

    conversation: Conversation
    number: int
    message_id: str
    time: datetime


def events_of(conversation: Conversation) -> Iterator[Event]:
    """The events of a conversation, in order of time."""
    times = turn_times(conversation)
    ids = list(_message_ids(conversation))
    for number, turn in enumerate(conversation.turns, start=1):
        place = _Place(conversation, number, ids[number - 1], times[number - 1])
        yield from _ticking(place.time, [_user(place, turn), *_calls(place, turn), *_answer(place, turn)])


def frame_of(conversations: Sequence[Conversation]) -> pl.DataFrame:
    """The events of conversations as a frame of `RAW_SCHEMA`.

    The texts are whole, hence all events are those of the store that does not cut.
    """
    rows = [event for conversation in conversations for event in events_of(conversation)]
    columns = {
        "TimeGenerated": [row.time for row in rows],
        "Name": [row.name for row in rows],
        "Properties": [orjson.dumps(row.properties).decode() for row in rows],
        "Measurements": [orjson.dumps(row.measurements).decode() for row in rows],
    }
    fixed = {
        **dict.fromkeys(("UserId", "SessionId", "OperationId"), ""),
        "AppRoleName": events.APP_ROLE_NAME,
        "IKey": events.STORE_B_KEY,
        "ItemCount": 1,
    }
    frame = pl.DataFrame(columns, schema={name: events.RAW_SCHEMA[name] for name in columns})
    return frame.select(
        *columns, *[pl.lit(value, events.RAW_SCHEMA[name]).alias(name) for name, value in fixed.items()]
    )


def turn_times(conversation: Conversation) -> list[datetime]:
    """When each user message was sent, later with every turn.

    A turn without a time comes a second after the one before. A time that does not leave room for the turn before is
    moved behind it: only the order is certain then.
    """
    times: list[datetime] = []
    earliest = datetime.min.replace(tzinfo=UTC)
    for index, turn in enumerate(conversation.turns):
        derived = times[-1] + _STEP if times else _first_time(conversation)
        times.append(max(turn.sentAt or derived, earliest))
        # The turn's events: one per call, and the messages and the details beside them.
        earliest = times[index] + max(_LEAST_STEP, (len(turn.calls) + 3) * _TICK)
    return times


def _first_time(conversation: Conversation) -> datetime:
    """The session's start, at the latest early enough for the first turn that has a time."""
    known = [turn.sentAt - index * _STEP for index, turn in enumerate(conversation.turns) if turn.sentAt][:1]
    return min([conversation.startedAt, *known]) if conversation.startedAt else next(iter(known), UNKNOWN_TIME)


def _ticking(start: datetime, turn_events: Sequence[Event]) -> list[Event]:
    return [event._replace(time=start + tick * _TICK) for tick, event in enumerate(turn_events)]


def _message_ids(conversation: Conversation) -> Iterator[str]:
    """The turns' own ids; derived ones where there is none or another turn has it already."""
    taken: set[str] = set()
    for number, turn in enumerate(conversation.turns, start=1):
        is_free = turn.messageId and turn.messageId not in taken
        yield turn.messageId if is_free else _derived(conversation, f"turn {number}")
        taken.add(turn.messageId)


def _derived(conversation: Conversation, *parts: str) -> str:
    return derived_id(conversation.conversationId, *parts)


def _ids(place: _Place) -> dict[str, str]:
    return {"conversationId": place.conversation.conversationId, "messageId": place.message_id}


def _user(place: _Place, turn: Turn) -> Event:
    """The user's message; `turnIndex` counts from 0 here, and an empty text is not sent (Q5)."""
    properties = {
        **_ids(place),
        "source": "user",
        "turnIndex": str(place.number - 1),
        "mode": turn.mode,
        "common.userName": place.conversation.userName,
        **_text(turn.userMessage),
    }
    return Event(place.time, events.MESSAGE_TEXT, properties, {"messageCharLen": len(turn.userMessage)})


def _calls(place: _Place, turn: Turn) -> list[Event]:
    found: list[Event] = []
    for number, call in enumerate(turn.calls, start=1):
        properties = {
            **_ids(place),
            "message_direction": "output",
            "messageSource": "chat.editAgent",
            "modelCallId": _derived(place.conversation, place.message_id, f"call {number}"),
            **_present(baseModel=turn.model),
        }
        tokens = _present(promptTokens=call.promptTokens, completionTokens=call.completionTokens)
        found.append(Event(place.time, events.ENGINE_MESSAGES, properties, tokens))
    return found


def _answer(place: _Place, turn: Turn) -> list[Event]:
    """The model's message, when there is text, and the turn's metrics; both count turns from 1."""
    said = {**_ids(place), "source": "model", "turnIndex": str(place.number), "mode": turn.mode}
    message = Event(place.time, events.MESSAGE_TEXT, {**said, **_text(turn.modelMessage)}, {})
    details = {
        **_ids(place),
        "toolCounts": orjson.dumps(turn.toolCounts, option=orjson.OPT_SORT_KEYS).decode(),
        **_present(responseType=turn.responseType, model=turn.model),
    }
    measured = {
        "turnIndex": place.number,
        **_present(numRequests=turn.numRequests, turnDuration=turn.turnDurationMs),
    }
    metrics = Event(place.time, events.TOOL_CALL_DETAILS, details, measured)
    return [message, metrics] if turn.modelMessage else [metrics]


def _text(value: str) -> dict[str, str]:
    return {"messageText": value} if value else {}


def _present(**values: _Value | None) -> dict[str, _Value]:
    return {name: value for name, value in values.items() if value is not None}
