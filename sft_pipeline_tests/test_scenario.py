"""The reference computation against outcomes written by hand: the oracle is itself tested."""

from datetime import datetime, time
from typing import Any

import polars as pl
import pytest

from sft_pipeline.curation.tables import REPAIRS
from sft_pipeline_tests.answers import ANSWER
from sft_pipeline_tests.cases.emission import BEGIN
from sft_pipeline_tests.reference_curation import reference_candidates
from sft_pipeline_tests.scenario import WINDOW_END, WINDOW_START, WORLD, Case, raw_events, world_events

LEFT_AS_THEY_ARE = {"Q20", "Q21", "Q22"}
"""Quirks of fields that no rule reads."""


def answer(events: pl.DataFrame) -> pl.DataFrame:
    return reference_candidates(events, window_start=WINDOW_START, window_end=WINDOW_END)


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    return {row["conversationId"]: row for row in answer(world_events()).iter_rows(named=True)}


def each_case() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", WORLD, ids=lambda case: f"{case.quirk or 'Q0'}-{case.name}")


@each_case()
def test_a_conversation_becomes_what_was_written_down_for_it(case: Case, answers: dict[str, dict[str, Any]]) -> None:
    row = answers.get(case.conversation_id)
    if case.drop_reason is None:
        assert row is None
        return
    assert row is not None
    assert row["dropReason"] == case.drop_reason
    assert row["turnCount"] == row["capturedTurnCount"] == case.turn_count
    assert {name: row[name] for name in REPAIRS if row[name]} == dict(case.repairs)
    assert tuple(turn["modelMessage"] for turn in row["turnsArray"]) == case.finals
    assert {name: row[name] for name in case.fields} == {
        name: timed(value, name) for name, value in case.fields.items()
    }


@each_case()
def test_its_turns_hold_what_was_written_down_for_them(case: Case, answers: dict[str, dict[str, Any]]) -> None:
    turns = {turn["turnIndex"]: turn for turn in answers.get(case.conversation_id, {"turnsArray": []})["turnsArray"]}
    assert list(turns) == list(range(1, len(case.finals) + 1))
    for index, fields in case.turns.items():
        turn = {**turns[index], "llmCalls": [call["modelCallId"] for call in turns[index]["llmCalls"]]}
        assert {name: turn[name] for name in fields} == dict(fields)


def test_a_call_tells_its_number_its_model_and_its_tokens(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["context-reset"]["turnsArray"][0]["llmCalls"][1] == {
        "callIndex": 2,
        "modelCallId": "context-reset/1/call-2",
        "model": "gpt-5",
        "promptTokens": 90_000,
        "completionTokens": 10,
    }


@each_case()
def test_a_conversation_is_judged_alike_with_and_without_the_others(
    case: Case, answers: dict[str, dict[str, Any]]
) -> None:
    alone = answer(raw_events(case.events)).filter(conversationId=case.conversation_id).to_dicts()
    assert alone == [answers[case.conversation_id]] if case.drop_reason is not None else alone == []


def test_every_case_has_its_own_name_and_conversation() -> None:
    assert len({case.name for case in WORLD}) == len({case.conversation_id for case in WORLD}) == len(WORLD)


def test_every_quirk_that_a_rule_meets_is_shown() -> None:
    shown = {case.quirk.rstrip("abcdef") for case in WORLD if case.quirk}
    assert shown == {f"Q{number}" for number in range(1, 29)} - LEFT_AS_THEY_ARE


def test_every_drop_reason_and_every_repair_occurs() -> None:
    seen = answer(world_events())
    assert set(seen["dropReason"]) == {
        "",
        "no_conversation_id",
        "mode_switched",
        "head_missing",
        "turn_missing",
        "turns_out_of_order",
        "too_few_turns",
        "too_many_turns",
    }
    assert all(total > 0 for total in seen.select(pl.col(REPAIRS).sum()).row(0))


def test_the_reference_answers_an_empty_table_with_an_empty_table() -> None:
    empty = answer(world_events().clear())
    assert empty.is_empty()
    assert empty.schema == ANSWER


def test_turn_limits_decide_what_is_too_short_and_too_long() -> None:
    kept = reference_candidates(
        world_events(), window_start=WINDOW_START, window_end=WINDOW_END, min_turns=21, max_turns=21
    ).filter(dropReason="")
    assert kept["conversationId"].to_list() == ["twenty-one-turns"]


def timed(value: object, name: str) -> object:
    """Times of day are those of the day on which every conversation begins."""
    if not (isinstance(value, str) and name.endswith("Time")):
        return value
    return datetime.combine(BEGIN.date(), time.fromisoformat(value), BEGIN.tzinfo)
