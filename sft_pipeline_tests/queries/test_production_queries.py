"""The production queries beside the candidates query, on the hand-written world and on damaged synthetic telemetry."""

from typing import Any

import polars as pl
import pytest

from sft_pipeline.clients.queries.catalog import load_query
from sft_pipeline.curation.hashing import priority_of
from sft_pipeline.curation.turns import decode
from sft_pipeline_tests.answers import first_difference
from sft_pipeline_tests.curation.test_blank_messages import INVISIBLE, VISIBLE
from sft_pipeline_tests.queries.catalog_world import CANDIDATES, LATE_CALL, TOOLS, Source
from sft_pipeline_tests.queries.first_turns import expected_requests
from sft_pipeline_tests.queries.nested import NESTED, expected_nested, turns_of, typed_nested
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START

NESTED_JSON = "production/sft_nested_json"
SIMPLE = "production/sft_nested_json_simple"
COMPLETE = "production/sft_complete_conversations_3to10"
FIRST_TURNS = "production/sft_session_router_first_turns"
STRATIFIED = "production/sft_stratified_by_turn_count"
SAMPLE_100K = "production/sft_100k_production"
WITH_DELTAS = [NESTED_JSON, COMPLETE, STRATIFIED]
WITHOUT_DELTAS = [SIMPLE, SAMPLE_100K]


def conversation_row(answer: pl.DataFrame, conversation_id: str) -> dict[str, Any]:
    return answer.row(by_predicate=pl.col("conversationId") == conversation_id, named=True)


class TestNestedJson:
    def test_every_field_of_every_conversation_with_a_turn_agrees(
        self, production_world: Source, expected_conversations: pl.DataFrame
    ) -> None:
        assert first_difference(expected_conversations, typed_nested(production_world.ask(NESTED_JSON))) == ""

    def test_it_agrees_on_holes_that_nobody_thought_of(self, lossy_telemetry: Source) -> None:
        damaged = expected_nested(lossy_telemetry.events, window_start=WINDOW_START, window_end=WINDOW_END)
        assert first_difference(damaged, typed_nested(lossy_telemetry.ask(NESTED_JSON))) == ""
        assert damaged.filter("isComplete").height > 0
        assert damaged.filter(~pl.col("isComplete")).height > 0

    def test_what_is_computed_after_the_candidates_query_is_the_same(self, production_world: Source) -> None:
        decoded = decode(production_world.ask(CANDIDATES)).candidates
        kept = typed_nested(production_world.ask(NESTED_JSON)).filter(dropReason="")
        assert first_difference(decoded_as_nested(decoded), kept) == ""

    def test_a_partial_conversation_is_there_and_its_first_delta_is_inflated(self, production_world: Source) -> None:
        row = conversation_row(typed_nested(production_world.ask(NESTED_JSON)), "head-lost")
        first = row["turnsArray"][0]
        assert (row["isComplete"], row["dropReason"]) == (False, "head_missing")
        assert first["turnIndex"] == row["minTurnIndex"] > 1
        assert first["promptTokenDelta"] == first["promptTokens"] == first["llmCalls"][0]["promptTokenDelta"]

    def test_a_hole_is_in_the_delta_of_what_comes_after_it(self, production_world: Source) -> None:
        row = conversation_row(typed_nested(production_world.ask(NESTED_JSON)), "turn-lost")
        tokens = {turn["turnIndex"]: turn["promptTokens"] for turn in row["turnsArray"]}
        after = next(
            turn for turn in row["turnsArray"] if turn["turnIndex"] - 1 not in tokens and turn["turnIndex"] > 1
        )
        before = max(index for index in tokens if index < after["turnIndex"])
        assert row["isComplete"] is False
        assert after["promptTokenDelta"] == after["promptTokens"] - tokens[before]

    def test_a_context_reset_is_told_and_not_clamped(self, production_world: Source) -> None:
        row = conversation_row(typed_nested(production_world.ask(NESTED_JSON)), "context-reset")
        calls = [call for turn in row["turnsArray"] for call in turn["llmCalls"]]
        assert [call["promptTokenDelta"] for call in calls] == [20_000, 70_000, 14_000, -73_000, 2_000, -1_000]
        assert [call["contextReset"] for call in calls] == [False, False, False, True, False, True]
        assert [turn["promptTokenDelta"] for turn in row["turnsArray"]] == [104_000, -73_000, 1_000]

    def test_calls_count_in_the_order_of_their_turns(self, production_world: Source) -> None:
        row = conversation_row(typed_nested(production_world.ask(NESTED_JSON)), LATE_CALL)
        calls = [(turn["turnIndex"], call["callIndex"]) for turn in row["turnsArray"] for call in turn["llmCalls"]]
        deltas = [call["promptTokenDelta"] for turn in row["turnsArray"] for call in turn["llmCalls"]]
        assert calls == [(1, 1), (1, 2), (2, 1), (3, 1)]
        assert deltas == [1100, 7 - 1100, 2100 - 7, 1000]

    def test_a_conversation_without_turns_is_not_there(self, production_world: Source) -> None:
        looked_at = production_world.ask(CANDIDATES).filter(pl.col("turnCount") == 0)["conversationId"]
        assert looked_at.len() > 0
        assert set(looked_at).isdisjoint(production_world.ask(NESTED_JSON)["conversationId"])


class TestNestedJsonSimple:
    def test_it_has_the_same_conversations_without_deltas(self, production_world: Source) -> None:
        simple, full = production_world.ask(SIMPLE), production_world.ask(NESTED_JSON)
        assert simple.columns == full.columns
        assert simple.drop("turnsArray").equals(full.drop("turnsArray"))
        for plain, told in zip(simple["turnsArray"], full["turnsArray"], strict=True):
            assert turns_of(plain) == [without_deltas(turn) for turn in turns_of(told)]

    def test_candidates_have_the_turns_that_the_candidates_query_gives(self, production_world: Source) -> None:
        simple = production_world.ask(SIMPLE)
        for name, text in (
            production_world.ask(CANDIDATES).filter(dropReason="").select("conversationId", "turnsArray").iter_rows()
        ):
            assert turns_of(text) == turns_of(conversation_row(simple, name)["turnsArray"])


class TestCompleteConversations:
    def test_they_are_the_candidates_of_3_to_10_turns_with_their_deltas(
        self, production_world: Source, expected_conversations: pl.DataFrame
    ) -> None:
        wanted = expected_conversations.filter(pl.col("dropReason") == "", pl.col("turnCount") <= 10)
        assert first_difference(wanted, typed_nested(production_world.ask(COMPLETE))) == ""
        assert set(wanted["turnCount"]) >= {3, 6}

    def test_partial_short_and_longer_conversations_are_not_there(self, production_world: Source) -> None:
        found = production_world.ask(COMPLETE)
        assert set(found["conversationId"]).isdisjoint({"head-lost", "turn-lost", "two-turns", "eleven-turns"})
        assert set(found["isComplete"]) == {True}

    def test_more_turns_can_be_asked_for(self, production_world: Source) -> None:
        assert production_world.ask(COMPLETE, minTurns=11, maxTurns=11)["conversationId"].to_list() == ["eleven-turns"]


class TestFirstTurns:
    def test_every_field_of_every_request_agrees(
        self, production_world: Source, expected_conversations: pl.DataFrame
    ) -> None:
        wanted = expected_requests(expected_conversations.filter(dropReason=""), salt="router")
        assert production_world.ask(FIRST_TURNS).to_dicts() == wanted
        assert len(wanted) > len(VISIBLE)

    def test_neither_buttons_nor_what_nobody_would_see_are_requests(self, production_world: Source) -> None:
        found = set(production_world.ask(FIRST_TURNS)["conversationId"])
        candidates = set(production_world.ask(CANDIDATES).filter(dropReason="")["conversationId"])
        assert candidates - found >= {"opened-by-a-button", *(f"invisible-{n}" for n in range(len(INVISIBLE)))}
        assert found >= {"buttons-pressed", *(f"visible-{n}" for n in range(len(VISIBLE)))}

    @pytest.mark.parametrize("name", TOOLS)
    def test_tools_are_counted_by_name_and_by_call(self, production_world: Source, name: str) -> None:
        row = conversation_row(production_world.ask(FIRST_TURNS), name)
        assert (row["toolDiversity"], row["toolCalls"]) == TOOLS[name][1:]

    def test_another_salt_gives_the_same_requests_in_another_order(self, production_world: Source) -> None:
        one, other = production_world.ask(FIRST_TURNS), production_world.ask(FIRST_TURNS, salt="other")
        assert one.drop("priority").sort("conversationId").equals(other.drop("priority").sort("conversationId"))
        assert other["conversationId"].to_list() == sorted(
            one["conversationId"], key=lambda name: priority_of(name, salt="other")
        )
        assert not one["conversationId"].equals(other["conversationId"])


class TestSharedText:
    @pytest.mark.parametrize("name", WITH_DELTAS)
    def test_queries_with_deltas_compute_them_alike(self, name: str) -> None:
        assert between(name, "// >>> deltas", "// <<< deltas") == between(NESTED_JSON, "// >>> deltas", "// <<< deltas")

    @pytest.mark.parametrize("name", WITHOUT_DELTAS)
    def test_queries_without_deltas_nest_turns_as_the_candidates_query_does(self, name: str) -> None:
        ends = "let chosenTurns = ", "turnsArray = tostring(turnsArray);"
        assert between(name, *ends) == between(CANDIDATES, *ends)


def between(name: str, begin: str, end: str) -> str:
    text = load_query(name).text
    return text[text.index(begin) : text.index(end)]


def decoded_as_nested(decoded: pl.DataFrame) -> pl.DataFrame:
    rows = [{**row, "dropReason": ""} for row in decoded.iter_rows(named=True)]
    return pl.DataFrame(rows, schema=NESTED).sort("conversationId")


def without_deltas(turn: dict[str, Any]) -> dict[str, Any]:
    computed = {"callIndex", "promptTokenDelta", "contextReset"}
    calls = [{name: call[name] for name in call if name not in computed} for call in turn["llmCalls"]]
    return {**{name: turn[name] for name in turn if name not in computed}, "llmCalls": calls}
