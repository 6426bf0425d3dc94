"""Agent transcripts."""

from datetime import UTC, datetime

from sft_pipeline.telemetry.sessions.conversations import Call
from sft_pipeline.telemetry.sessions.transcript import is_transcript, read_transcript

Event = dict[str, object]


def event(kind: str, second: int, **data: object) -> Event:
    return {"type": kind, "id": f"{kind}-{second}", "timestamp": f"2026-03-01T10:00:{second:02}.500Z", "data": data}


START = event("session.start", 0, sessionId="t-1", producer="copilot-agent", startTime="2026-03-01T10:00:00.000Z")
EVENTS: list[object] = [
    START,
    event("user.message", 1, content="Fix the parser", attachments=[]),
    event("assistant.turn_start", 2, turnId="0"),
    event("assistant.message", 3, content="Looking.", reasoningText="hm", toolRequests=[{"name": "read_file"}]),
    event("assistant.message", 4, content="", toolRequests=[{"name": "read_file"}, {"name": "apply_patch"}]),
    event("assistant.message", 5, content="of a subagent", parentToolCallId="c"),
    event("assistant.message", 6, content="Fixed."),
    event("user.message", 7, content="context of a skill", source="skill-x"),
    event("user.message", 8, content="Thanks"),
]


def test_a_transcript_begins_with_its_start():
    assert is_transcript(EVENTS)
    assert not is_transcript([EVENTS[1]])


def test_turns_run_from_user_message_to_user_message():
    first, second = read_transcript(EVENTS).turns
    assert (first.userMessage, first.modelMessage) == ("Fix the parser", "Looking.\n\nFixed.")
    assert first.toolCounts == {"apply_patch": 1, "read_file": 2}
    assert (first.numRequests, first.calls, first.mode) == (3, (Call(), Call(), Call()), "agent")
    assert (second.userMessage, second.modelMessage, second.responseType, second.calls) == ("Thanks", "", None, ())


def test_ids_and_times_are_those_of_the_events():
    found = read_transcript(EVENTS)
    assert found.conversationId == "t-1"
    assert found.startedAt == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert found.turns[0].messageId == "user.message-1"
    assert found.turns[0].sentAt == datetime(2026, 3, 1, 10, 0, 1, 500_000, UTC)


def test_the_model_is_the_one_selected_last_and_output_tokens_are_those_of_each_call():
    events = [
        event("session.start", 0, sessionId="t-2", selectedModel="gpt-5"),
        event("user.message", 1, content="a"),
        event("assistant.message", 2, content="b", outputTokens=12),
        event("session.model_change", 3, newModel="claude-opus-4.5"),
        event("user.message", 4, content="c"),
    ]
    first, second = read_transcript(events).turns
    assert (first.model, second.model) == ("gpt-5", "claude-opus-4.5")
    assert first.calls == (Call(completionTokens=12),)


def test_a_start_without_id_gets_a_derived_one():
    found = read_transcript([{"type": "session.start"}, event("user.message", 1, content="a")])
    assert found.conversationId
    assert found.startedAt is None
