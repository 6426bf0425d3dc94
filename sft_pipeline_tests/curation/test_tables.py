"""The tables agree with each other and with the requirements; field names are those of the sources."""

import re

import dataframely as dy
import polars as pl
import pytest
from dataframely.exc import ValidationError

from sft_pipeline.curation import tables
from sft_pipeline.curation.tables import (
    CALL_SCHEMA,
    QUERY_COLUMNS,
    RECORD_FIELDS,
    REPAIRS,
    TURN_SCHEMA,
    Candidate,
    Conversation,
    RejectedConversation,
    schema_of,
)
from sft_pipeline_tests.conversations_world import Row, conversation, conversations, query_row, query_rows, turn

TABLES = tuple(
    value
    for value in vars(tables).values()
    if isinstance(value, type) and issubclass(value, dy.Schema) and value is not dy.Schema
)


def test_a_record_has_the_required_fields_first_and_the_text_last() -> None:
    assert RECORD_FIELDS == (
        "conversationId",
        "userName",
        "split",
        "bucket",
        "turnCount",
        "minTurnIndex",
        "maxTurnIndex",
        "capturedTurnCount",
        "isComplete",
        "promptTokens",
        "completionTokens",
        "llmCallCount",
        "firstTime",
        "lastTime",
        "models",
        "turnsArray",
    )


def test_a_record_is_a_conversation_less_what_the_pipeline_needs_for_itself() -> None:
    own = set(schema_of(Conversation).names()) - set(RECORD_FIELDS)
    assert own == {"priority", "digest", *REPAIRS}


def test_a_turn_tells_all_token_metrics_of_the_sources() -> None:
    assert TURN_SCHEMA.names() == [
        "turnIndex",
        "messageId",
        "userMessage",
        "modelMessage",
        "model",
        "responseType",
        "numRequests",
        "toolCounts",
        "turnDurationMs",
        "isContinuation",
        "llmCallCount",
        "promptTokens",
        "promptTokenDelta",
        "completionTokens",
        "llmCalls",
    ]
    assert CALL_SCHEMA.names() == [
        "callIndex",
        "modelCallId",
        "model",
        "promptTokens",
        "promptTokenDelta",
        "contextReset",
        "completionTokens",
    ]


def test_what_the_query_answers_is_carried_over_under_the_same_name_and_type() -> None:
    nested = {"models", "turnsArray"}
    curated = schema_of(Conversation)
    for name in QUERY_COLUMNS.keys() - nested - {"dropReason"}:
        assert curated[name] == QUERY_COLUMNS[name], name
    assert QUERY_COLUMNS.keys() - curated.keys() == {"dropReason"}
    assert curated.keys() - QUERY_COLUMNS.keys() == {"split", "priority", "isComplete", "digest"}


def test_the_worlds_rows_have_exactly_the_columns_of_their_tables() -> None:
    assert list(query_row("c-1")) == QUERY_COLUMNS.names()
    assert set(conversation("c-1")) == set(schema_of(Conversation))
    assert set(turn(1)) == set(TURN_SCHEMA)
    assert set(turn(1)["llmCalls"][0]) == set(CALL_SCHEMA)
    assert query_rows().schema == QUERY_COLUMNS


@pytest.mark.parametrize("table", TABLES)
def test_field_names_are_camel_case(table: type[dy.Schema]) -> None:
    assert [name for name in schema_of(table) if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*\d*", name)] == []


@pytest.mark.parametrize("table", [RejectedConversation, Candidate])
def test_tables_that_people_browse_hold_no_text(table: type[dy.Schema]) -> None:
    assert not {"turnsArray", "userMessage", "modelMessage"} & set(schema_of(table))


def test_rejected_conversations_name_no_user() -> None:
    assert "userName" not in schema_of(RejectedConversation)


def test_all_times_are_utc_in_microseconds() -> None:
    for schema in (QUERY_COLUMNS, schema_of(Conversation)):
        assert {schema["firstTime"], schema["lastTime"]} == {pl.Datetime("us", "UTC")}


def test_a_conversation_of_the_world_is_valid() -> None:
    frame = conversations(conversation("c-1"), conversation("c-2", turns=20))
    assert Conversation.validate(frame).equals(frame)


@pytest.mark.parametrize("field", ["conversationId", "split", "bucket", "turnCount", "digest", "turnsArray", "models"])
def test_a_conversation_without_a_field_it_must_have_is_not_valid(field: str) -> None:
    frame = conversations({**conversation("c-1"), field: None})
    with pytest.raises(ValidationError, match=field):
        Conversation.validate(frame)


@pytest.mark.parametrize("field", ["turnIndex", "messageId", "llmCallCount", "llmCalls"])
def test_a_turn_without_a_field_it_must_have_is_not_valid(field: str) -> None:
    frame = conversations(conversation("c-1", turnsArray=[{**turn(1), field: None}]))
    with pytest.raises(ValidationError, match="turnsArray"):
        Conversation.validate(frame)


def test_turns_may_have_no_metrics() -> None:
    unknown = dict.fromkeys(("model", "responseType", "numRequests", "turnDurationMs", "promptTokens"))
    bare: Row = {**turn(1), **unknown, "llmCalls": []}
    assert Conversation.is_valid(conversations(conversation("c-1", turnsArray=[bare])))


@pytest.mark.parametrize("table", [Conversation, Candidate])
def test_ids_are_keys(table: type[dy.Schema]) -> None:
    assert table.primary_key() == ["conversationId"]
