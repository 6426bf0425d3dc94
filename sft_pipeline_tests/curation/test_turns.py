"""Nested JSON text becomes typed, ordered turns, whichever way the engine nests it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sft_pipeline.curation.tables import TURN_SCHEMA, Conversation, schema_of
from sft_pipeline.curation.turns import decode
from sft_pipeline_tests.conversations_world import (
    Row,
    call_json,
    nested_as_objects,
    query_row,
    query_rows,
    turn_json,
)
from sft_pipeline_tests.curation.decoding import Nest, both_nestings, calls_of, decoded_turns


class TestDecoding:
    @both_nestings
    def test_turns_and_calls_come_typed(self, nest: Nest) -> None:
        (turn,) = decoded_turns(nest([turn_json(1)]))
        assert turn == {
            "turnIndex": 1,
            "messageId": "message-1",
            "userMessage": "question 1",
            "modelMessage": "answer 1",
            "model": "gpt-5",
            "responseType": "success",
            "numRequests": 1,
            "toolCounts": "{}",
            "turnDurationMs": 2000,
            "isContinuation": False,
            "llmCallCount": 1,
            "promptTokens": 100,
            "promptTokenDelta": 100,
            "completionTokens": 10,
            "llmCalls": [
                {
                    "callIndex": 1,
                    "modelCallId": "call-1",
                    "model": "gpt-5",
                    "promptTokens": 100,
                    "promptTokenDelta": 100,
                    "contextReset": False,
                    "completionTokens": 10,
                }
            ],
        }

    @both_nestings
    def test_turns_stand_by_turn_index_and_calls_by_time_whatever_their_order(self, nest: Nest) -> None:
        calls = [call_json(number) for number in (2, 3, 1)]
        turns = decoded_turns(nest([turn_json(3), turn_json(1, llmCalls=calls), turn_json(2)]))
        assert [turn["turnIndex"] for turn in turns] == [1, 2, 3]
        assert [call["modelCallId"] for call in turns[0]["llmCalls"]] == ["call-1", "call-2", "call-3"]
        assert [call["callIndex"] for call in calls_of(turns)] == [1, 2, 3, 1, 1]

    def test_calls_of_one_instant_stand_by_id(self) -> None:
        calls = [call_json(1, modelCallId=name) for name in "bca"]
        assert [
            call["modelCallId"] for call in calls_of(decoded_turns(nested_as_objects([turn_json(1, llmCalls=calls)])))
        ] == ["a", "b", "c"]

    def test_a_whole_second_is_before_its_fractions_however_it_is_written(self) -> None:
        """Regression: as texts, `00Z` sorts after `00.5Z`."""
        times = {"a": "2025-08-02T09:30:00Z", "b": "2025-08-02T09:30:00.25Z", "c": "2025-08-02T09:30:00.5Z"}
        calls = [call_json(1, modelCallId=name, time=times[name]) for name in "cba"]
        found = calls_of(decoded_turns(nested_as_objects([turn_json(1, llmCalls=calls)])))
        assert [call["modelCallId"] for call in found] == ["a", "b", "c"]

    def test_conversations_keep_their_order_and_their_own_turns(self) -> None:
        rows = query_rows(*(query_row(f"c-{turns}", turns=turns) for turns in (5, 3, 12)))
        candidates = decode(rows).candidates
        assert candidates["conversationId"].to_list() == ["c-5", "c-3", "c-12"]
        assert candidates["turnsArray"].list.len().to_list() == [5, 3, 12]

    def test_models_are_sorted(self) -> None:
        rows = query_rows(query_row("c-1", models='["gpt-5","claude","o3"]'), query_row("c-2", models="[]"))
        assert decode(rows).candidates["models"].to_list() == [["claude", "gpt-5", "o3"], []]

    @pytest.mark.parametrize("models", [None, ""])
    def test_no_models_is_an_empty_list(self, models: str | None) -> None:
        rows = query_rows(query_row("c-1", models=models), query_row("c-2"))
        assert decode(rows).candidates["models"].to_list() == [[], ["gpt-5"]]

    @pytest.mark.parametrize("text", [None, "", "[]", "[ ]", "[null]"])
    def test_a_conversation_without_turns_keeps_its_row(self, text: str | None) -> None:
        rows = query_rows(query_row("c-1", turnsArray=text), query_row("c-2"))
        assert decode(rows).candidates["turnsArray"].list.len().to_list() == [0, 3]

    @pytest.mark.parametrize("calls", [[], None])
    def test_a_turn_without_calls_has_an_empty_list(self, calls: list[Row] | None) -> None:
        first, second = decoded_turns(nested_as_objects([turn_json(1, llmCalls=calls), turn_json(2)]))
        assert first["llmCalls"] == []
        assert len(second["llmCalls"]) == 1

    def test_nulls_stay_null(self) -> None:
        unknown = dict.fromkeys(["model", "responseType", "numRequests", "turnDurationMs", "promptTokens"])
        silent = call_json(1, promptTokens=None, completionTokens=None, model=None)
        (turn,) = decoded_turns(nested_as_objects([{**turn_json(1), **unknown, "llmCalls": [silent]}]))
        assert {name: turn[name] for name in unknown} == unknown
        assert turn["promptTokenDelta"] is None
        (call,) = turn["llmCalls"]
        assert (call["promptTokens"], call["promptTokenDelta"], call["completionTokens"]) == (None, None, None)
        assert call["contextReset"] is False

    def test_fields_that_the_query_left_out_are_null_and_others_are_ignored(self) -> None:
        (turn,) = decoded_turns('[{"turnIndex":1,"userMessage":"a","novelty":{"deep":[1]}}]')
        assert (turn["turnIndex"], turn["userMessage"], turn["modelMessage"]) == (1, "a", None)
        assert set(turn) == set(TURN_SCHEMA)

    def test_is_complete_says_whether_a_hole_is_known(self) -> None:
        bounds = {"whole": (1, 3, 3), "headless": (2, 3, 3), "holed": (1, 4, 3)}
        rows = [
            query_row(name, minTurnIndex=low, maxTurnIndex=high, capturedTurnCount=count)
            for name, (low, high, count) in bounds.items()
        ]
        assert decode(query_rows(*rows)).candidates["isComplete"].to_list() == [True, False, False]

    def test_the_answer_is_the_conversation_but_for_what_is_assigned_later(self) -> None:
        schema = decode(query_rows(query_row("c-1"))).candidates.schema
        expected = {name: dtype for name, dtype in schema_of(Conversation).items() if name in schema}
        assert dict(schema) == expected
        assert schema_of(Conversation).keys() - schema.keys() == {"split", "priority", "digest"}


class TestDropped:
    def test_dropped_conversations_leave_without_their_turns(self) -> None:
        rows = query_rows(query_row("c-1"), query_row("c-2", dropReason="too_few_turns", turnsArray="[]"))
        candidates, dropped = decode(rows)
        assert candidates["conversationId"].to_list() == ["c-1"]
        assert dropped.select("conversationId", "dropReason").rows() == [("c-2", "too_few_turns")]
        assert "turnsArray" not in dropped.columns

    def test_a_row_without_a_reason_is_no_candidate_and_is_not_lost(self) -> None:
        """Regression: a null reason equals nothing and differs from nothing; the row was in neither frame."""
        candidates, dropped = decode(query_rows(query_row("c-1", dropReason=None)))
        assert (candidates.height, dropped.height) == (0, 1)

    @pytest.mark.parametrize("rows", [(), (query_row("c-1", dropReason="head_missing"),)])
    def test_no_candidates_is_a_typed_empty_frame(self, rows: tuple[Row, ...]) -> None:
        candidates, dropped = decode(query_rows(*rows))
        assert candidates.is_empty()
        assert dropped.height == len(rows)
        assert candidates.schema == decode(query_rows(query_row("c-1"))).candidates.schema

    @settings(max_examples=40)
    @given(st.lists(st.sampled_from(["", "mode_switched", "turn_missing", None]), max_size=8))
    def test_every_row_is_in_exactly_one_frame(self, reasons: list[str | None]) -> None:
        rows = [query_row(f"c-{number}", dropReason=reason) for number, reason in enumerate(reasons)]
        candidates, dropped = decode(query_rows(*rows))
        ids = [*candidates["conversationId"], *dropped["conversationId"]]
        assert sorted(ids) == sorted(row["conversationId"] for row in rows)
        assert candidates.height == reasons.count("")
