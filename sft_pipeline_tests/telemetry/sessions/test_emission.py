"""Events of a turn, as the rules that reassemble them expect."""

from datetime import UTC, datetime, timedelta

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sft_pipeline.telemetry.events import ENGINE_MESSAGES, MESSAGE_TEXT, RAW_SCHEMA, STORE_B_KEY, TOOL_CALL_DETAILS
from sft_pipeline.telemetry.sessions.conversations import Call, Conversation, Turn
from sft_pipeline.telemetry.sessions.emission import UNKNOWN_TIME, events_of, frame_of, turn_times

T0 = datetime(2026, 1, 1, tzinfo=UTC)
FULL = Turn(
    userMessage="Do it \N{GRINNING FACE}",
    mode="agent",
    messageId="m1",
    modelMessage="Done.",
    model="gpt-5",
    responseType="success",
    toolCounts={"read_file": 2, "apply_patch": 1},
    numRequests=2,
    calls=(Call(), Call(promptTokens=100, completionTokens=9)),
    turnDurationMs=1234,
    sentAt=T0,
)
BARE = Turn(userMessage="", mode="ask")


def conversation(*turns: Turn, started: datetime | None = None) -> Conversation:
    return Conversation(conversationId="c", turns=turns, userName="octo-user", startedAt=started)


def test_a_turn_becomes_user_message_calls_model_message_and_details_in_order_of_time():
    found = list(events_of(conversation(FULL)))
    assert [event.name for event in found] == [
        MESSAGE_TEXT,
        ENGINE_MESSAGES,
        ENGINE_MESSAGES,
        MESSAGE_TEXT,
        TOOL_CALL_DETAILS,
    ]
    assert [event.time - T0 for event in found] == [timedelta(microseconds=tick) for tick in range(5)]
    assert all(event.properties["conversationId"] == "c" and event.properties["messageId"] == "m1" for event in found)


def test_messages_count_turns_from_0_for_users_and_from_1_for_models():
    found = list(events_of(conversation(FULL, FULL)))
    user, model = found[5], found[8]
    assert (user.properties["source"], user.properties["turnIndex"]) == ("user", "1")
    assert (model.properties["source"], model.properties["turnIndex"]) == ("model", "2")
    assert user.properties["common.userName"] == "octo-user"
    assert user.measurements == {"messageCharLen": 7}
    assert (user.properties["mode"], user.properties["messageText"]) == ("agent", FULL.userMessage)


def test_tokens_stand_on_the_last_call_alone():
    first, last = list(events_of(conversation(FULL)))[1:3]
    assert first.properties["modelCallId"] != last.properties["modelCallId"]
    assert (first.properties["messageSource"], first.properties["message_direction"]) == ("chat.editAgent", "output")
    assert (first.properties["baseModel"], first.measurements) == ("gpt-5", {})
    assert last.measurements == {"promptTokens": 100, "completionTokens": 9}


def test_details_carry_tool_counts_as_sorted_json_text():
    details = list(events_of(conversation(FULL)))[-1]
    assert details.properties["toolCounts"] == '{"apply_patch":1,"read_file":2}'
    assert (details.properties["responseType"], details.properties["model"]) == ("success", "gpt-5")
    assert details.measurements == {"turnIndex": 1, "numRequests": 2, "turnDuration": 1234}


def test_what_is_not_known_is_absent():
    user, details = events_of(conversation(BARE))
    assert "messageText" not in user.properties
    assert details.properties.keys() == {"conversationId", "messageId", "toolCounts"}
    assert (details.properties["toolCounts"], details.measurements) == ("{}", {"turnIndex": 1})


def test_missing_and_repeated_message_ids_are_derived():
    ids = [
        event.properties["messageId"]
        for event in events_of(conversation(BARE, FULL, FULL))
        if event.name == MESSAGE_TEXT
    ]
    assert len(set(ids)) == 3
    assert "m1" in ids
    assert ids == [
        event.properties["messageId"]
        for event in events_of(conversation(BARE, FULL, FULL))
        if event.name == MESSAGE_TEXT
    ]


def test_without_any_time_turns_follow_a_constant_second_by_second():
    assert turn_times(conversation(BARE, BARE)) == [UNKNOWN_TIME, UNKNOWN_TIME + timedelta(seconds=1)]


def test_times_are_derived_from_the_start_and_from_neighbours():
    known = Turn(userMessage="x", mode="agent", sentAt=T0 + timedelta(minutes=5))
    assert turn_times(conversation(BARE, BARE, started=T0)) == [T0, T0 + timedelta(seconds=1)]
    assert turn_times(conversation(BARE, known, BARE)) == [
        T0 + timedelta(minutes=5, seconds=-1),
        T0 + timedelta(minutes=5),
        T0 + timedelta(minutes=5, seconds=1),
    ]


def test_a_start_after_the_first_known_time_gives_way():
    known = Turn(userMessage="x", mode="agent", sentAt=T0)
    assert turn_times(conversation(BARE, known, started=T0 + timedelta(days=1)))[1] == T0


moments = st.none() | st.timedeltas(timedelta(0), timedelta(days=1)).map(lambda passed: T0 + passed)
turns = st.builds(
    Turn,
    userMessage=st.text(max_size=3),
    modelMessage=st.text(max_size=3),
    mode=st.just("agent"),
    sentAt=moments,
    calls=st.integers(0, 1500).map(lambda number: (Call(),) * number),
)


@given(st.lists(turns, min_size=1, max_size=5), moments)
def test_no_event_of_a_turn_passes_the_next_user_message(some: list[Turn], started: datetime | None):
    found = list(events_of(conversation(*some, started=started)))
    times = [event.time for event in found]
    assert times == sorted(set(times))
    assert [event.properties["turnIndex"] for event in found if event.properties.get("source") == "user"] == [
        str(number) for number in range(len(some))
    ]


def test_the_frame_has_the_raw_schema_and_is_of_the_store_that_keeps_texts_whole():
    long = Turn(userMessage="x" * 78_000, mode="agent")
    frame = frame_of([conversation(long)])
    assert frame.schema == RAW_SCHEMA
    assert frame["IKey"].unique().to_list() == [STORE_B_KEY]
    assert len(orjson.loads(frame["Properties"][0])["messageText"]) == 78_000


def test_no_conversations_make_an_empty_frame():
    assert frame_of([]).schema == RAW_SCHEMA
    assert frame_of([]).height == 0
